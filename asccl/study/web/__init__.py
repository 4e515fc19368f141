"""Pages of user studies, for participants and for the administrator. Plain HTML from templates: no gradio in here."""
