"""Messages: templates compiled once per version, rendered and assembled once per recipient. Pure: text in, values out."""
