"""The editor: preview and edit the emotion of talking faces. Start reading at editor.py and plan.py."""
