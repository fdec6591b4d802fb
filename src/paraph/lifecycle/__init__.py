"""The lifecycle of grants, links and installations, and their audit chain."""
