def text(scored): return ""
