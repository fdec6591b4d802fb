"""The public endpoints: install, redirection, Marketplace, webhook, and the pages they show."""
