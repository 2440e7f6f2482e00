"""Text forms: armour and keyrings."""
import base64

from .seal import Refused, root_id


def armour(datum):
    return b'stw1:' + base64.urlsafe_b64encode(datum).rstrip(b'=')


def unarmour(text):
    if not text.startswith(b'stw1:'):
        raise Refused('prefix')
    try:
        datum = base64.b64decode(text[5:] + b'=' * (-len(text[5:]) % 4), b'-_', True)
    except ValueError:
        raise Refused('base64') from None
    if armour(datum) != text:
        raise Refused('not canonical')
    return datum


def keyring_line(root):
    return b'root ' + root_id(root).hex().encode() + b' ' + base64.b64encode(root) + b'\n'


def read_keyring(text):
    """The roots of a keyring, oldest first."""
    roots = []
    for line in text.split(b'\n'):
        line = line[:-1] if line.endswith(b'\r') else line
        if line == b'' or line.startswith(b'#'):
            continue
        try:
            root = base64.b64decode(line[22:], None, True)
        except ValueError:
            raise Refused('base64') from None
        if len(root) != 32 or keyring_line(root) != line + b'\n' or root in roots:
            raise Refused('line')
        roots.append(root)
    if not 1 <= len(roots) <= 16:
        raise Refused('count')
    return roots
