/* The hot loop of reading QEMU's binary traces: see hiperiso/trace/decoder.py, which gives the same answers without it.
 *
 * Decoder(version, swapped)
 *   .event(id, labels, kinds, wanted) -> slot; slot + 1 takes its records whose arguments are not as declared
 *   .window(since_ns, until_ns)       keep records within, counted from the first record of the file
 *   .columns(data, begin, end) -> (stop, reason, count, [(slot, t_ns, pid, row, columns), ...], strings)
 *   .text(data, begin, end)    -> (stop, reason, bytes)
 *   .count(data, begin, end)   -> (stop, reason, count)
 *   .begin_ns() -> the time of the first record
 *   .lost() -> how many records QEMU says it lost, so far
 *   .totals() -> {slot: (records, first_ns, last_ns)}
 *
 * Each call reads up to `stop`, and says why it stopped there: MORE (the rest of the record is missing), MAPPING (a
 * record that names an event), UNKNOWN (an event whose id has no slot yet), DAMAGED.
 *
 * Two passes: the first walks from record to record and checks each, the second, free of that chain of dependent
 * loads, fills exactly as much as is needed, event by event.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MORE, MAPPING, UNKNOWN, DAMAGED };

#define DROPPED (~(uint64_t)1)
#define COUNTED 24         /* id, time, length, pid: what the length of a record counts beside its arguments */
#define MAX_EVENT (1 << 18) /* bytes of one record */
#define DIRECT (1 << 16)   /* ids below are looked up in a table, others one by one */
#define MAX_OTHER 64
#define MAX_ARGUMENTS 16
#define NO_SLOT UINT32_MAX

typedef struct {
    uint32_t here, at, place;    /* records in this piece, where they are in `grouped`, and in `touched` */
    uint8_t wanted, declared, arguments, strings;
    uint8_t leading;             /* numbers before the first string */
    char kinds[MAX_ARGUMENTS];   /* 'n' for a number, 's' for a string */
    uint64_t total, first_ns, last_ns;
    PyObject *labels;            /* tuple of bytes: the event's name, then its arguments'; NULL for raw records */
} Slot;

typedef struct { uint64_t id; uint32_t slot; } Other;

typedef struct {
    uint64_t head, tail; /* the first and the last eight bytes, as far as there are so many */
    uint32_t begin, length;
} Text;

#define RECENT 256

typedef struct {
    PyObject_HEAD
    int swapped, prefix;
    Slot *slots;
    uint32_t slot_count, slot_room;
    uint32_t *direct;
    Other other[MAX_OTHER];
    int others;
    int begun;
    uint64_t begin_ns, printed_ns;
    int printed;
    int64_t since_ns, until_ns;
    uint64_t lost;
    uint32_t *offset, *slot;          /* of the records of this piece, in the order of the file */
    uint32_t *grouped;                /* their offsets, event by event */
    uint32_t count, room;
    uint32_t *touched;                /* slots with records in this piece */
    uint32_t touched_count, touched_room;
    Text *texts;                      /* the different strings of this piece */
    uint32_t text_count, text_room;
    uint32_t *table, table_mask;      /* hash -> text + 1 */
    uint32_t recent[RECENT];          /* the text that was found last for a head */
    char *lines;
    size_t lines_room;
} Decoder;

/* ---- numbers of the file ---- */

static inline uint64_t get64(const uint8_t *p, int swapped)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return swapped ? __builtin_bswap64(v) : v;
}

static inline uint32_t get32(const uint8_t *p, int swapped)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return swapped ? __builtin_bswap32(v) : v;
}

/* ---- first pass ---- */

static int grow(void **place, uint32_t *room, size_t size, uint32_t wanted)
{
    uint32_t more = *room ? *room : 1024;
    while (more < wanted)
        more *= 2;
    void *made = realloc(*place, more * size);
    if (!made) {
        PyErr_NoMemory();
        return -1;
    }
    *place = made;
    *room = more;
    return 0;
}

static uint32_t find_slot(const Decoder *self, uint64_t id)
{
    if (id < DIRECT)
        return self->direct[id];
    for (int i = 0; i < self->others; i++)
        if (self->other[i].id == id)
            return self->other[i].slot;
    return NO_SLOT;
}

/* Whether the arguments are exactly as declared. */
static inline __attribute__((always_inline)) int fits(const Slot *slot, const uint8_t *p, uint32_t length, int swapped)
{
    if (!slot->strings)
        return length == 8u * slot->arguments;
    uint32_t at = 8u * slot->leading;
    for (int i = slot->leading; i < slot->arguments; i++) {
        if (slot->kinds[i] == 'n') {
            at += 8;
        } else {
            if (length < at + 4)
                return 0;
            uint32_t size = get32(p + at, swapped);
            if (size > length)
                return 0;
            at += 4 + size;
        }
        if (at > length)
            return 0;
    }
    return at == length;
}

static inline __attribute__((always_inline)) int walk(
    Decoder *self, const uint8_t *data, Py_ssize_t *at, Py_ssize_t end, const int swapped, const int prefix)
{
    Py_ssize_t p = *at;
    int reason = MORE;
    uint64_t last_id = ~(uint64_t)0;
    uint32_t last_slot = NO_SLOT;
    for (;; ) {
        if (end - p < prefix + COUNTED) {
            if (prefix && end - p >= prefix) {
                uint64_t kind = get64(data + p, swapped);
                reason = kind == 1 ? MORE : kind == 0 ? MAPPING : DAMAGED;
            }
            break;
        }
        const uint8_t *r = data + p;
        if (prefix) {
            uint64_t kind = get64(r, swapped);
            if (__builtin_expect(kind != 1, 0)) {
                reason = kind ? DAMAGED : MAPPING;
                break;
            }
            r += prefix;
        }
        uint32_t length = get32(r + 16, swapped);
        if (__builtin_expect(length < COUNTED || length > MAX_EVENT, 0)) {
            reason = DAMAGED;
            break;
        }
        if (end - p < prefix + (Py_ssize_t)length)
            break;
        uint64_t id = get64(r, swapped);
        if (id != last_id || last_slot == NO_SLOT) { /* every id may come first, ~0 as well */
            uint32_t found = find_slot(self, id);
            if (__builtin_expect(found == NO_SLOT, 0)) {
                reason = UNKNOWN;
                break;
            }
            last_id = id;
            last_slot = found;
        }
        uint64_t t_ns = get64(r + 8, swapped);
        if (__builtin_expect(!self->begun, 0)) {
            self->begun = 1;
            self->begin_ns = t_ns;
        }
        Slot *slot = self->slots + last_slot;
        int64_t since = (int64_t)(t_ns - self->begin_ns);
        if (slot->wanted && since >= self->since_ns && since <= self->until_ns) {
            uint32_t number = last_slot;
            if (!slot->declared || !fits(slot, r + COUNTED, length - COUNTED, swapped)) {
                number++;
                slot++;
            } else if (id == DROPPED) {
                self->lost += get64(r + COUNTED, swapped);
            }
            if (!slot->here) {
                if (self->touched_count == self->touched_room &&
                    grow((void **)&self->touched, &self->touched_room, sizeof(uint32_t), self->touched_count + 1))
                    return -1;
                self->touched[self->touched_count++] = number;
                if (!slot->total)
                    slot->first_ns = t_ns;
            }
            slot->here++;
            slot->last_ns = t_ns;
            if (self->count == self->room) {
                uint32_t room = self->room, again = self->room;
                if (grow((void **)&self->offset, &room, sizeof(uint32_t), self->count + 1) ||
                    grow((void **)&self->slot, &again, sizeof(uint32_t), self->count + 1))
                    return -1;
                self->room = room;
            }
            self->offset[self->count] = (uint32_t)(r - data);
            self->slot[self->count++] = number;
        }
        p += prefix + length;
    }
    *at = p;
    return reason;
}

static void forget_piece(Decoder *self)
{
    for (uint32_t i = 0; i < self->touched_count; i++) {
        Slot *slot = self->slots + self->touched[i];
        slot->total += slot->here;
        slot->here = 0;
    }
    self->touched_count = self->count = 0;
}

static int first_pass(Decoder *self, const Py_buffer *view, Py_ssize_t *at, Py_ssize_t end)
{
    const uint8_t *data = view->buf;
    if (*at < 0 || end < *at || end > view->len || view->len > INT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "begin and end are not within the data");
        return -1;
    }
    forget_piece(self);
    if (self->swapped)
        return self->prefix ? walk(self, data, at, end, 1, 8) : walk(self, data, at, end, 1, 0);
    return self->prefix ? walk(self, data, at, end, 0, 8) : walk(self, data, at, end, 0, 0);
}

/* ---- strings ---- */

static uint32_t hash_of(const Text *text, const uint8_t *data)
{
    uint64_t hash = (text->head ^ text->length) * 0x9e3779b97f4a7c15ull, word;
    for (uint32_t i = 8; i + 8 < text->length; i += 8) {
        memcpy(&word, data + text->begin + i, 8);
        hash = ((hash ^ hash >> 32) ^ word) * 0xff51afd7ed558ccdull;
    }
    hash = ((hash ^ hash >> 32) ^ text->tail) * 0xff51afd7ed558ccdull;
    return (uint32_t)(hash ^ hash >> 32);
}

static inline int same(const Text *one, const Text *other, const uint8_t *data)
{
    return one->head == other->head && one->length == other->length && one->tail == other->tail &&
           (one->length <= 16 || !memcmp(data + one->begin, data + other->begin, one->length));
}

static int grow_table(Decoder *self, const uint8_t *data)
{
    uint32_t size = self->table ? (self->table_mask + 1) * 2 : 1024;
    uint32_t *made = calloc(size, sizeof(uint32_t));
    if (!made) {
        PyErr_NoMemory();
        return -1;
    }
    free(self->table);
    self->table = made;
    self->table_mask = size - 1;
    for (uint32_t i = 0; i < self->text_count; i++) {
        uint32_t at = hash_of(self->texts + i, data) & self->table_mask;
        while (made[at])
            at = (at + 1) & self->table_mask;
        made[at] = i + 1;
    }
    return 0;
}

static uint32_t find_text(Decoder *self, const uint8_t *data, const Text *text)
{
    if ((!self->table || self->text_count * 2 > self->table_mask) && grow_table(self, data))
        return NO_SLOT;
    uint32_t at = hash_of(text, data) & self->table_mask, found;
    while ((found = self->table[at])) {
        if (same(self->texts + found - 1, text, data))
            return found - 1;
        at = (at + 1) & self->table_mask;
    }
    if (self->text_count == self->text_room &&
        grow((void **)&self->texts, &self->text_room, sizeof(Text), self->text_count + 1))
        return NO_SLOT;
    self->texts[self->text_count] = *text;
    self->table[at] = ++self->text_count;
    return self->text_count - 1;
}

/* The number of a string among those of this piece; NO_SLOT without memory. */
static inline __attribute__((always_inline)) uint32_t code_of(
    Decoder *self, const uint8_t *data, const uint8_t *p, uint32_t length)
{
    Text text = {0, 0, (uint32_t)(p - data), length};
    if (length >= 8) {
        memcpy(&text.head, p, 8);
        memcpy(&text.tail, p + length - 8, 8);
    } else if (length >= 4) { /* overlapping halves */
        uint32_t low, high;
        memcpy(&low, p, 4);
        memcpy(&high, p + length - 4, 4);
        text.head = (uint64_t)high << 32 | low;
    } else {
        for (uint32_t i = 0; i < length; i++)
            text.head |= (uint64_t)p[i] << (8 * i);
    }
    uint32_t *recent = self->recent + ((text.head * 0x9e3779b97f4a7c15ull + text.tail * 0xff51afd7ed558ccdull) >> 56);
    if (__builtin_expect(*recent < self->text_count && same(self->texts + *recent, &text, data), 1))
        return *recent;
    return *recent = find_text(self, data, &text);
}

static PyObject *take_texts(Decoder *self, const uint8_t *data)
{
    PyObject *list = PyList_New(self->text_count);
    for (uint32_t i = 0; list && i < self->text_count; i++) {
        PyObject *text = PyBytes_FromStringAndSize((const char *)data + self->texts[i].begin, self->texts[i].length);
        if (!text)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, text);
    }
    self->text_count = 0;
    if (self->table)
        memset(self->table, 0, (self->table_mask + 1) * sizeof(uint32_t));
    return list;
}

/* ---- second pass: columns ---- */

/* Where the records of each event will be in `grouped`. */
static int group(Decoder *self)
{
    uint32_t *made = realloc(self->grouped, (self->room ? self->room : 1) * sizeof(uint32_t));
    if (!made) {
        PyErr_NoMemory();
        return -1;
    }
    self->grouped = made;
    uint32_t at = 0;
    for (uint32_t i = 0; i < self->touched_count; i++) {
        Slot *slot = self->slots + self->touched[i];
        slot->at = at;
        at += slot->here;
    }
    return 0;
}

static inline __attribute__((always_inline)) void fill_heads(
    const uint8_t *data, const uint32_t *offset, uint32_t count, uint64_t *t_ns, uint32_t *pid, const int swapped)
{
    for (uint32_t i = 0; i < count; i++) {
        t_ns[i] = get64(data + offset[i] + 8, swapped);
        pid[i] = get32(data + offset[i] + 20, swapped);
    }
}

/* Heads and `leading` numbers of each record, `leading` being known when this is compiled. */
static inline __attribute__((always_inline)) void fill_numbers(
    const uint8_t *data, const uint32_t *offset, uint32_t count, uint64_t *t_ns, uint32_t *pid, void **columns,
    const int leading, const int swapped)
{
    uint64_t *c[8];
    for (int a = 0; a < leading; a++)
        c[a] = columns[a];
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *r = data + offset[i];
        t_ns[i] = get64(r + 8, swapped);
        pid[i] = get32(r + 20, swapped);
        for (int a = 0; a < leading; a++)
            c[a][i] = get64(r + COUNTED + 8 * a, swapped);
    }
}

static int fill_rest(
    Decoder *self, const Slot *slot, const uint8_t *data, const uint32_t *offset, void **columns, int first, int swapped)
{
    for (uint32_t i = 0; i < slot->here; i++) {
        const uint8_t *p = data + offset[i] + COUNTED + 8 * first;
        for (int a = first; a < slot->arguments; a++) {
            if (slot->kinds[a] == 'n') {
                ((uint64_t *)columns[a])[i] = get64(p, swapped);
                p += 8;
                continue;
            }
            uint32_t size = get32(p, swapped), code = code_of(self, data, p + 4, size);
            if (code == NO_SLOT)
                return -1;
            ((uint32_t *)columns[a])[i] = code;
            p += 4 + size;
        }
    }
    return 0;
}

/* The arguments of records that are not as declared: all bytes of one as one string. */
static int fill_raw(
    Decoder *self, const Slot *slot, const uint8_t *data, const uint32_t *offset, uint32_t *column, int swapped)
{
    for (uint32_t i = 0; i < slot->here; i++) {
        const uint8_t *r = data + offset[i];
        uint32_t code = code_of(self, data, r + COUNTED, get32(r + 16, swapped) - COUNTED);
        if (code == NO_SLOT)
            return -1;
        column[i] = code;
    }
    return 0;
}

static inline __attribute__((always_inline)) int fill(
    Decoder *self, const Slot *slot, const uint8_t *data, const uint32_t *offset, uint64_t *t_ns, uint32_t *pid,
    void **columns, const int swapped)
{
    uint32_t count = slot->here;
    int leading = slot->declared && slot->leading <= 8 ? slot->leading : 0;
    switch (leading) {
    case 0: fill_heads(data, offset, count, t_ns, pid, swapped); break;
    case 1: fill_numbers(data, offset, count, t_ns, pid, columns, 1, swapped); break;
    case 2: fill_numbers(data, offset, count, t_ns, pid, columns, 2, swapped); break;
    case 3: fill_numbers(data, offset, count, t_ns, pid, columns, 3, swapped); break;
    case 4: fill_numbers(data, offset, count, t_ns, pid, columns, 4, swapped); break;
    case 5: fill_numbers(data, offset, count, t_ns, pid, columns, 5, swapped); break;
    case 6: fill_numbers(data, offset, count, t_ns, pid, columns, 6, swapped); break;
    case 7: fill_numbers(data, offset, count, t_ns, pid, columns, 7, swapped); break;
    case 8: fill_numbers(data, offset, count, t_ns, pid, columns, 8, swapped); break;
    }
    if (!slot->declared)
        return fill_raw(self, slot, data, offset, columns[0], swapped);
    return leading < slot->arguments ? fill_rest(self, slot, data, offset, columns, leading, swapped) : 0;
}

static void *new_column(PyObject *tuple, Py_ssize_t index, size_t bytes)
{
    PyObject *made = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)bytes);
    if (!made)
        return NULL;
    PyTuple_SET_ITEM(tuple, index, made);
    return PyBytes_AS_STRING(made);
}

/* Columns of an event, still without values. */
static PyObject *empty_columns(const Decoder *self, uint32_t number, uint32_t **rows)
{
    const Slot *slot = self->slots + number;
    int arguments = slot->declared ? slot->arguments : 1;
    PyObject *found = PyTuple_New(5), *parts = PyTuple_New(arguments);
    if (!found || !parts)
        goto failed;
    PyObject *index = PyLong_FromUnsignedLong(number);
    if (!index)
        goto failed;
    PyTuple_SET_ITEM(found, 0, index);
    uint64_t *t_ns = new_column(found, 1, slot->here * 8);
    uint32_t *pid = t_ns ? new_column(found, 2, slot->here * 4) : NULL;
    uint32_t *row = pid ? new_column(found, 3, slot->here * 4) : NULL;
    if (!row)
        goto failed;
    for (int a = 0; a < arguments; a++)
        if (!(new_column(parts, a, slot->here * (slot->declared && slot->kinds[a] == 'n' ? 8u : 4u))))
            goto failed;
    *rows = row;
    PyTuple_SET_ITEM(found, 4, parts);
    return found;
failed:
    Py_XDECREF(found);
    Py_XDECREF(parts);
    return NULL;
}

static int fill_columns(Decoder *self, uint32_t number, const uint8_t *data, PyObject *found)
{
    const Slot *slot = self->slots + number;
    void *columns[MAX_ARGUMENTS];
    PyObject *parts = PyTuple_GET_ITEM(found, 4);
    for (Py_ssize_t a = 0; a < PyTuple_GET_SIZE(parts); a++)
        columns[a] = PyBytes_AS_STRING(PyTuple_GET_ITEM(parts, a));
    uint64_t *t_ns = (uint64_t *)PyBytes_AS_STRING(PyTuple_GET_ITEM(found, 1));
    uint32_t *pid = (uint32_t *)PyBytes_AS_STRING(PyTuple_GET_ITEM(found, 2));
    const uint32_t *offset = self->grouped + slot->at - slot->here;
    return self->swapped ? fill(self, slot, data, offset, t_ns, pid, columns, 1)
                         : fill(self, slot, data, offset, t_ns, pid, columns, 0);
}

static PyObject *second_pass(Decoder *self, const uint8_t *data)
{
    PyObject *list = PyList_New(self->touched_count);
    uint32_t **rows = malloc((self->touched_count + 1) * sizeof(*rows));
    if (!list || !rows || group(self))
        goto failed;
    for (uint32_t i = 0; i < self->touched_count; i++) {
        PyObject *found = empty_columns(self, self->touched[i], rows + i);
        if (!found)
            goto failed;
        PyList_SET_ITEM(list, i, found);
        self->slots[self->touched[i]].place = i;
    }
    for (uint32_t i = 0; i < self->count; i++) {
        Slot *slot = self->slots + self->slot[i];
        self->grouped[slot->at++] = self->offset[i];
        *rows[slot->place]++ = i;
    }
    for (uint32_t i = 0; i < self->touched_count; i++)
        if (fill_columns(self, self->touched[i], data, PyList_GET_ITEM(list, i)))
            goto failed;
    free(rows);
    return list;
failed:
    free(rows);
    Py_XDECREF(list);
    return PyErr_Occurred() ? NULL : PyErr_NoMemory();
}

static PyObject *decoder_columns(Decoder *self, PyObject *args)
{
    Py_buffer view;
    Py_ssize_t at, end;
    PyObject *list = NULL, *result = NULL, *texts;
    if (!PyArg_ParseTuple(args, "y*nn", &view, &at, &end))
        return NULL;
    int reason = first_pass(self, &view, &at, end);
    if (reason >= 0 && (list = second_pass(self, view.buf)) && (texts = take_texts(self, view.buf)))
        result = Py_BuildValue("niION", at, reason, self->count, list, texts);
    Py_XDECREF(list);
    PyBuffer_Release(&view);
    return result;
}

static PyObject *decoder_count(Decoder *self, PyObject *args)
{
    Py_buffer view;
    Py_ssize_t at, end;
    if (!PyArg_ParseTuple(args, "y*nn", &view, &at, &end))
        return NULL;
    int reason = first_pass(self, &view, &at, end);
    PyBuffer_Release(&view);
    return reason < 0 ? NULL : Py_BuildValue("niI", at, reason, self->count);
}

static PyObject *decoder_lost(Decoder *self, PyObject *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(self->lost);
}

static PyObject *decoder_begin_ns(Decoder *self, PyObject *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(self->begin_ns);
}

static PyObject *decoder_totals(Decoder *self, PyObject *unused)
{
    (void)unused;
    PyObject *found = PyDict_New();
    forget_piece(self);
    for (uint32_t i = 0; found && i < self->slot_count; i++) {
        const Slot *slot = self->slots + i;
        if (!slot->total)
            continue;
        PyObject *key = PyLong_FromUnsignedLong(i);
        PyObject *value = Py_BuildValue("KKK", slot->total, slot->first_ns, slot->last_ns);
        if (!key || !value || PyDict_SetItem(found, key, value))
            Py_CLEAR(found);
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    return found;
}

/* ---- second pass: text, as QEMU's simpletrace.py prints it ---- */

static char *put(char *out, PyObject *bytes)
{
    Py_ssize_t length = PyBytes_GET_SIZE(bytes);
    memcpy(out, PyBytes_AS_STRING(bytes), (size_t)length);
    return out + length;
}

static char *put_decimal(char *out, uint64_t value)
{
    char digits[24];
    int n = 0;
    do
        digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    while (n)
        *out++ = digits[--n];
    return out;
}

static const char HEX[] = "0123456789abcdef";

static char *put_hex(char *out, uint64_t value)
{
    int digits = value ? (67 - __builtin_clzll(value)) / 4 : 1;
    *out++ = '0';
    *out++ = 'x';
    for (int i = digits - 1; i >= 0; i--)
        *out++ = HEX[value >> (4 * i) & 15];
    return out;
}

/* "%0.3f" of nanoseconds / 1000.0 */
static char *put_delta(char *out, uint64_t from_ns, uint64_t to_ns)
{
    int negative = to_ns < from_ns;
    uint64_t delta = negative ? from_ns - to_ns : to_ns - from_ns;
    if (delta >> 50) { /* beyond what a double holds exactly */
        char *text = PyOS_double_to_string((negative ? -1.0 : 1.0) * ((double)delta / 1000.0), 'f', 3, 0, NULL);
        if (!text)
            return NULL;
        size_t length = strlen(text);
        memcpy(out, text, length);
        PyMem_Free(text);
        return out + length;
    }
    if (negative)
        *out++ = '-';
    out = put_decimal(out, delta / 1000);
    *out++ = '.';
    *out++ = (char)('0' + delta / 100 % 10);
    *out++ = (char)('0' + delta / 10 % 10);
    *out++ = (char)('0' + delta % 10);
    return out;
}

/* As repr() of the bytes. */
static char *put_repr(char *out, const uint8_t *p, uint32_t length)
{
    char quote = memchr(p, '\'', length) && !memchr(p, '"', length) ? '"' : '\'';
    *out++ = 'b';
    *out++ = quote;
    for (uint32_t i = 0; i < length; i++) {
        uint8_t c = p[i];
        char known = c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\\' || c == quote ? (char)c : 0;
        if (known) {
            *out++ = '\\';
            *out++ = known;
        } else if (c < 32 || c >= 127) {
            *out++ = '\\';
            *out++ = 'x';
            *out++ = HEX[c >> 4];
            *out++ = HEX[c & 15];
        } else {
            *out++ = (char)c;
        }
    }
    *out++ = quote;
    return out;
}

/* Bytes that a line takes at most, its strings not counted. */
static size_t line_bound(const Slot *slot)
{
    size_t bound = 128;
    PyObject *labels = slot->declared ? slot->labels : slot[-1].labels;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(labels); i++)
        bound += (size_t)PyBytes_GET_SIZE(PyTuple_GET_ITEM(labels, i)) + 24;
    return bound;
}

static char *put_line(Decoder *self, const Slot *slot, const uint8_t *r, char *out)
{
    int swapped = self->swapped;
    PyObject *labels = slot->declared ? slot->labels : slot[-1].labels;
    uint64_t t_ns = get64(r + 8, swapped);
    uint32_t length = get32(r + 16, swapped) - COUNTED;
    const uint8_t *p = r + COUNTED;
    out = put(out, PyTuple_GET_ITEM(labels, 0));
    *out++ = ' ';
    if (!(out = put_delta(out, self->printed ? self->printed_ns : t_ns, t_ns)))
        return NULL;
    self->printed = 1;
    self->printed_ns = t_ns;
    memcpy(out, " pid=", 5);
    out = put_decimal(out + 5, get32(r + 20, swapped));
    if (!slot->declared) {
        memcpy(out, " raw=", 5);
        out += 5;
        for (uint32_t i = 0; i < length; i++) {
            *out++ = HEX[p[i] >> 4];
            *out++ = HEX[p[i] & 15];
        }
    }
    for (int a = 0; slot->declared && a < slot->arguments; a++) {
        *out++ = ' ';
        out = put(out, PyTuple_GET_ITEM(labels, a + 1));
        *out++ = '=';
        if (slot->kinds[a] == 'n') {
            out = put_hex(out, get64(p, swapped));
            p += 8;
        } else {
            uint32_t size = get32(p, swapped);
            out = put_repr(out, p + 4, size);
            p += 4 + size;
        }
    }
    *out++ = '\n';
    return out;
}

static PyObject *decoder_text(Decoder *self, PyObject *args)
{
    Py_buffer view;
    Py_ssize_t at, end;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(args, "y*nn", &view, &at, &end))
        return NULL;
    int reason = first_pass(self, &view, &at, end);
    if (reason < 0)
        goto done;
    size_t room = 4 * (size_t)view.len;
    for (uint32_t i = 0; i < self->touched_count; i++)
        room += self->slots[self->touched[i]].here * line_bound(self->slots + self->touched[i]);
    if (room > self->lines_room) {
        char *more = realloc(self->lines, room);
        if (!more) {
            PyErr_NoMemory();
            goto done;
        }
        self->lines = more;
        self->lines_room = room;
    }
    char *out = self->lines;
    for (uint32_t i = 0; i < self->count; i++)
        if (!(out = put_line(self, self->slots + self->slot[i], (const uint8_t *)view.buf + self->offset[i], out)))
            goto done;
    result = Py_BuildValue("niy#", at, reason, self->lines, (Py_ssize_t)(out - self->lines));
done:
    PyBuffer_Release(&view);
    return result;
}

/* ---- the object ---- */

static PyObject *decoder_event(Decoder *self, PyObject *args)
{
    unsigned long long id;
    PyObject *labels;
    const char *kinds;
    int wanted;
    if (!PyArg_ParseTuple(args, "KO!zp", &id, &PyTuple_Type, &labels, &kinds, &wanted))
        return NULL;
    Py_ssize_t count = kinds ? (Py_ssize_t)strlen(kinds) : 0;
    int right = PyTuple_GET_SIZE(labels) == count + 1 && count <= MAX_ARGUMENTS;
    for (Py_ssize_t i = 0; right && i <= count; i++)
        right = PyBytes_Check(PyTuple_GET_ITEM(labels, i)) && (i == count || kinds[i] == 'n' || kinds[i] == 's');
    if (!right || self->slot_count > 4 * DIRECT) {
        PyErr_SetString(PyExc_ValueError, right ? "too many events" : "labels and kinds do not match");
        return NULL;
    }
    if (self->slot_count + 2 > self->slot_room &&
        grow((void **)&self->slots, &self->slot_room, sizeof(Slot), self->slot_count + 2))
        return NULL;
    uint32_t number = self->slot_count;
    if (id < DIRECT) {
        self->direct[id] = number;
    } else {
        int i = 0;
        while (i < self->others && self->other[i].id != id)
            i++;
        if (i == MAX_OTHER) {
            PyErr_SetString(PyExc_ValueError, "too many events");
            return NULL;
        }
        self->other[i] = (Other){id, number};
        self->others += i == self->others;
    }
    Slot *slot = self->slots + number;
    memset(slot, 0, 2 * sizeof(Slot));
    slot->labels = Py_NewRef(labels);
    slot->declared = kinds != NULL;
    slot->wanted = slot[1].wanted = (uint8_t)wanted;
    slot->arguments = (uint8_t)count;
    for (Py_ssize_t i = 0; i < count; i++) {
        slot->kinds[i] = kinds[i];
        slot->strings += kinds[i] == 's';
        slot->leading += !slot->strings;
    }
    self->slot_count += 2;
    return PyLong_FromUnsignedLong(number);
}

static PyObject *decoder_window(Decoder *self, PyObject *args)
{
    long long since_ns, until_ns;
    if (!PyArg_ParseTuple(args, "LL", &since_ns, &until_ns))
        return NULL;
    self->since_ns = since_ns;
    self->until_ns = until_ns;
    Py_RETURN_NONE;
}

static PyObject *decoder_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    int version, swapped;
    (void)keywords;
    if (!PyArg_ParseTuple(args, "ip", &version, &swapped))
        return NULL;
    Decoder *self = (Decoder *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->swapped = swapped;
    self->prefix = version >= 4 ? 8 : 0;
    self->since_ns = INT64_MIN;
    self->until_ns = INT64_MAX;
    if (!(self->direct = malloc(DIRECT * sizeof(uint32_t)))) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    memset(self->direct, 0xff, DIRECT * sizeof(uint32_t));
    return (PyObject *)self;
}

static void decoder_dealloc(Decoder *self)
{
    for (uint32_t i = 0; i < self->slot_count; i++)
        Py_XDECREF(self->slots[i].labels);
    free(self->slots);
    free(self->direct);
    free(self->offset);
    free(self->slot);
    free(self->grouped);
    free(self->lines);
    free(self->touched);
    free(self->texts);
    free(self->table);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef decoder_methods[] = {
    {"event", (PyCFunction)decoder_event, METH_VARARGS, "event(id, labels, kinds, wanted) -> slot"},
    {"window", (PyCFunction)decoder_window, METH_VARARGS, "window(since_ns, until_ns)"},
    {"columns", (PyCFunction)decoder_columns, METH_VARARGS, "columns(data, begin, end)"},
    {"count", (PyCFunction)decoder_count, METH_VARARGS, "count(data, begin, end)"},
    {"text", (PyCFunction)decoder_text, METH_VARARGS, "text(data, begin, end)"},
    {"begin_ns", (PyCFunction)decoder_begin_ns, METH_NOARGS, "begin_ns()"},
    {"lost", (PyCFunction)decoder_lost, METH_NOARGS, "lost()"},
    {"totals", (PyCFunction)decoder_totals, METH_NOARGS, "totals()"},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject decoder_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "hiperiso.trace._records.Decoder",
    .tp_basicsize = sizeof(Decoder),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = decoder_new,
    .tp_dealloc = (destructor)decoder_dealloc,
    .tp_methods = decoder_methods,
    .tp_doc = "The records of one trace, piece by piece.",
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "hiperiso.trace._records", .m_doc = "Records of QEMU's binary traces.", .m_size = -1,
};

PyMODINIT_FUNC PyInit__records(void)
{
    if (PyType_Ready(&decoder_type) < 0)
        return NULL;
    PyObject *made = PyModule_Create(&module);
    if (made && PyModule_AddObjectRef(made, "Decoder", (PyObject *)&decoder_type) < 0)
        Py_CLEAR(made);
    return made;
}
