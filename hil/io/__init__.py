"""The I/O port: instruments, relays and people that stimulate a device where no frame can."""
