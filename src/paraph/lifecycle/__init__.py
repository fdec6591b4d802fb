"""What happens to grants, links and installations over time, and its audit."""
