"""Who may do what, and the rules that each template obeys."""
