"""Takes in what citizens, gateways and devices send; the only producer of reports and telemetry."""
