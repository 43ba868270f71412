"""Web pages: chat and review. They bind to loopback and load nothing from elsewhere."""
