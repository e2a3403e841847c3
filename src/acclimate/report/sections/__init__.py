"""What each part of the page shows, as plain values; the template of the same name draws it."""
