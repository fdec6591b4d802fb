"""Control of the simulator: the console pages, the control API, and the timeline they show."""
