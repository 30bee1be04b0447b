"""What a reload costs those who are served meanwhile: an open-loop load across many reloads."""
