"""People's own doors: one click, the preference page, undo, why. No login, no cookies, no redirects, no script."""
