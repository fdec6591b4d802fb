"""Attack cases for any OAuth app. They use HTTP alone and a simulated Zoom."""
