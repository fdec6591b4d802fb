"""The network towards Zoom: one HTTP door, and what is asked through it."""
