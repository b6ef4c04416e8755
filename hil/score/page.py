def text(scored):
    return ""
