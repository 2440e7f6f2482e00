"""The revocation journal."""
from .seal import LABEL, blake2b, root_id

RECORD = 128


def journal_key(root):
    return blake2b(32, LABEL + b'journal/1', root)


def journal_record(root, kind, part, number, time, realm, subject, previous):
    record = (bytes([1, kind, 0, 0]) + part.to_bytes(4, 'big') + root_id(root)
              + number.to_bytes(8, 'big') + time.to_bytes(8, 'big', signed=True)
              + realm + subject + previous)
    return record + blake2b(32, record, journal_key(root))


def append_records(journal, root, records, time=0):
    """One append to a journal that is whole: (kind, realm, subject) each."""
    for part, (kind, realm, subject) in enumerate(records):
        previous = journal[-32:] if journal else bytes(32)
        journal += journal_record(root, kind, part, len(journal) // RECORD + 1, time, realm,
                                  subject, previous)
    return journal


def journal_fields(slot):
    """Part, root id, number of a slot that has the form of a record, else None."""
    part, number = int.from_bytes(slot[4:8], 'big'), int.from_bytes(slot[16:24], 'big')
    if slot[0] != 1 or slot[1] not in (1, 2) or slot[2:4] != bytes(2) or number <= part:
        return None
    return part, slot[8:16], number


def read_journal(roots, journal):
    """The records that count, and what the journal is."""
    keys = {root_id(root): journal_key(root) for root in roots}
    slots = [journal[at:at + RECORD] for at in range(0, len(journal) // RECORD * RECORD, RECORD)]

    def is_good(slot):
        form = journal_fields(slot)
        return form and form[1] in keys and blake2b(32, slot[:96], keys[form[1]]) == slot[96:]

    end = 0
    while (end < len(slots) and is_good(slots[end]) and journal_fields(slots[end])[2] == end + 1
           and slots[end][64:96] == (slots[end - 1][96:] if end else bytes(32))):
        end += 1
    state = 'whole' if journal[end * RECORD:].strip(b'\0') == b'' and not len(journal) % RECORD else 'torn'
    form = journal_fields(slots[end]) if end < len(slots) else None
    if form and form[1] not in keys and form[2] == end + 1:
        return slots[:end], 'other root'
    for at in range(end, len(slots)):
        form = journal_fields(slots[at])
        if is_good(slots[at]):
            if at == end or form[2] != at + 1 or form[2] - 1 - form[0] > end:
                state = 'altered'
        elif form and form[1] not in keys and form[2] == at + 1 and state != 'altered':
            state = 'other root'
    return slots[:end], state
