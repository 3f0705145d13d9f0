"""Mail: letters composed, handed to a mail server, and what comes in read. Decides nothing about people."""
