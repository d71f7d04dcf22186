"""What runs on a terminator: brings ticket keys and OCSP staples into its server, and proves by a handshake that it did."""
