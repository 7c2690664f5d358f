"""The first sign-ins: an admin, a device key and, for a simulated city, its staff; each `up` tells the same."""
