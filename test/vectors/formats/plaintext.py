"""Plaintext bytes, from SQL text."""
import decimal
import json
import re


def numeric_digits(whole, fraction):
    """Digits to base 10000 around the point, and the weight of the first."""
    whole = whole.rjust(-(-len(whole) // 4) * 4, '0')
    fraction = fraction.ljust(-(-len(fraction) // 4) * 4, '0')
    both = whole + fraction
    groups = [int(both[i:i + 4]) for i in range(0, len(both), 4)]
    weight = len(whole) // 4 - 1
    while groups and groups[0] == 0:
        groups.pop(0)
        weight -= 1
    while groups and groups[-1] == 0:
        groups.pop()
    return groups, weight if groups else 0


def join_numeric(sign, scale, weight, *digits):
    return (bytes([sign]) + scale.to_bytes(2, 'big') + weight.to_bytes(2, 'big', signed=True) +
            b''.join(digit.to_bytes(2, 'big') for digit in digits))


def encode_numeric(text):
    special = {'NaN': 2, 'Infinity': 3, '-Infinity': 4}
    if text in special:
        return bytes([special[text]]) + bytes(4)
    whole, _, fraction = text.lstrip('-').partition('.')
    groups, weight = numeric_digits(whole, fraction)
    return join_numeric(text.startswith('-') and bool(groups), len(fraction), weight, *groups)


def trim_zeros(text):
    return text.rstrip('0').rstrip('.') if '.' in text else text


class Number(str):
    """A JSON number as numeric prints it."""
    def __new__(cls, written):
        shown = format(decimal.Decimal(written), 'f')
        return str.__new__(cls, shown[1:] if set(shown) <= set('-0.') and shown[0] == '-' else shown)


JSON_ESCAPES = {'"': '\\"', '\\': '\\\\', '\b': '\\b', '\f': '\\f', '\n': '\\n',
                '\r': '\\r', '\t': '\\t'}


def show_string(text):
    return '"' + ''.join(JSON_ESCAPES.get(c) or ('\\u%04x' % ord(c) if c < ' ' else c)
                         for c in text) + '"'


def show_json(value, number=str):
    """The text of a jsonb: keys by length and then by their bytes, the last of equal ones."""
    if isinstance(value, Number):
        return number(value)
    if isinstance(value, str):
        return show_string(value)
    if isinstance(value, list):
        return '[' + ', '.join(show_json(element, number) for element in value) + ']'
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return '{' + ', '.join(show_string(key) + ': ' + show_json(value[key], number)
                               for key in keys) + '}'
    return {None: 'null', True: 'true', False: 'false'}[value]


def read_json(text):
    return json.loads(text, parse_int=Number, parse_float=Number)


def day_number(year, month, day):
    """Days since 2000-01-01 in the proleptic Gregorian calendar; year 0 is 1 BC."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 730425


INFINITE = {'infinity': 1, '-infinity': -1}


def read_date(text):
    date, _, era = text.partition(' ')
    year, month, day = (int(part) for part in date.split('-'))
    return day_number(1 - year if era == 'BC' else year, month, day)


def read_timestamptz(text):
    """YYYY-MM-DD HH:MM:SS.ffffff+HH:MM, perhaps with BC behind."""
    parts = re.fullmatch(r'(\S+) (\d\d):(\d\d):(\d\d)(?:\.(\d+))?([+-])(\d\d)(?::(\d\d))?( BC)?',
                         text)
    date, hour, minute, second, fraction, sign, zone, zone_minute, era = parts.groups('')
    seconds = (read_date(date + era) * 24 + int(hour)) * 3600 + int(minute) * 60 + int(second)
    offset = int(zone) * 3600 + int(zone_minute or 0) * 60
    seconds -= offset if sign == '+' else -offset
    return seconds * 10 ** 6 + int(fraction.ljust(6, '0') or 0)


def signed(number, size):
    return number.to_bytes(size, 'big', signed=True)


def encode_time(read, size, text):
    if text in INFINITE:
        end = 2 ** (8 * size - 1)
        return signed(end - 1 if INFINITE[text] > 0 else -end, size)
    return signed(read(text), size)


def encode(kind, text):
    """Plaintext bytes of a type for a value written in SQL, ISO and \\x style."""
    return {1: str.encode, 2: lambda hexed: bytes.fromhex(hexed[2:]),
            3: lambda json_text: show_json(read_json(json_text)).encode(),
            4: lambda number: signed(int(number), 8), 5: encode_numeric,
            6: lambda date: encode_time(read_date, 4, date),
            7: lambda time: encode_time(read_timestamptz, 8, time)}[kind](text)


def canonical(kind, text):
    """The bytes that are compared, hashed and tagged."""
    if kind == 3:
        return show_json(read_json(text), trim_zeros).encode()
    if kind == 5:
        return encode_numeric(trim_zeros(text))
    return encode(kind, text)
