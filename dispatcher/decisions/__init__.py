"""What the dispatcher decides: plain functions over frozen values, with `now` passed in. No I/O, no clock."""
