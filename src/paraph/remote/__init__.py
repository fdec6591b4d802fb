"""The network side towards Zoom: the one HTTP transport, and the requests sent through it."""
