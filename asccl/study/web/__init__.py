"""Pages of user studies, for participants and for the administrator: plain HTML from templates, without gradio."""
