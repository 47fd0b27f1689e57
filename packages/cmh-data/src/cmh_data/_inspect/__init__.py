"""What a file holds, as a report, as text and as JSON."""
