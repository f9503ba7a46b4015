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
 * Columns are filled while the records are walked: each next one is found by the length of the one before, and the
 * processor copies values while it waits for that. They have the room that the piece before needed, and are cut to
 * their size at the end of the piece. Text needs to know its size first, and is a second pass.
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

/* Arguments of an event; those of a raw record are not as declared. */
enum { RAW, NUMBERS, NUMBERS_AND_STRING, MIXED };

typedef struct {
    uint64_t head, tail; /* the first and the last eight bytes, as far as there are so many */
    uint32_t begin, length;
} Text;

typedef struct {
    uint32_t room;               /* rows */
    uint32_t before, piece;      /* how many rows there were in the last piece that had some, and which that was */
    Text last;                   /* the string that came last, `code` among those of the piece; none while that is NO_SLOT */
    uint32_t code;
    uint64_t *t_ns;
    uint32_t *pid, *row;
    void *argument[MAX_ARGUMENTS];
    PyObject *bytes[3 + MAX_ARGUMENTS]; /* what the pointers above point into */
} Columns;

typedef struct {
    uint32_t here;               /* records in this piece */
    uint8_t wanted, shape, arguments;
    uint8_t leading;             /* numbers before the first string */
    char kinds[MAX_ARGUMENTS];   /* 'n' for a number, 's' for a string */
    uint64_t total, first_ns, last_ns;
    Columns *columns;            /* of this piece; NULL before there was one */
    PyObject *labels;            /* tuple of bytes: the event's name, then its arguments'; NULL for raw records */
} Slot;

typedef struct { uint64_t id; uint32_t slot; } Other;

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
    uint32_t count, room, piece;
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

/* ---- growing ---- */

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

static inline uint32_t find_slot(const Decoder *self, uint64_t id)
{
    if (__builtin_expect(id < DIRECT, 1))
        return self->direct[id];
    for (int i = 0; i < self->others; i++)
        if (self->other[i].id == id)
            return self->other[i].slot;
    return NO_SLOT;
}

/* Whether the arguments are exactly as declared. */
static inline __attribute__((always_inline)) int fits(const Slot *slot, const uint8_t *p, uint32_t length, int swapped)
{
    uint32_t at = 8u * slot->leading;
    if (slot->shape == NUMBERS)
        return length == at;
    if (slot->shape == NUMBERS_AND_STRING)
        return length >= at + 4 && length - at - 4 == get32(p + at, swapped);
    if (slot->shape == RAW)
        return 0;
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
    Decoder *self, Columns *columns, const uint8_t *data, const uint8_t *p, uint32_t length)
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
    if (text.head == columns->last.head && text.tail == columns->last.tail && length == columns->last.length &&
        length <= 16 && columns->code != NO_SLOT)
        return columns->code;
    columns->last = text;
    uint32_t *recent = self->recent + ((text.head + (text.tail << 1)) * 0x9e3779b97f4a7c15ull >> 56);
    if (__builtin_expect(*recent < self->text_count && same(self->texts + *recent, &text, data), 1))
        return columns->code = *recent;
    return columns->code = *recent = find_text(self, data, &text);
}

static void forget_texts(Decoder *self)
{
    self->text_count = 0;
    if (self->table)
        memset(self->table, 0, (self->table_mask + 1) * sizeof(uint32_t));
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
    forget_texts(self);
    return list;
}

/* ---- columns ---- */

static void drop_columns(Columns *columns)
{
    for (int i = 0; i < 3 + MAX_ARGUMENTS; i++)
        Py_CLEAR(columns->bytes[i]);
    columns->room = 0;
}

static size_t width_of(const Slot *slot, int column)
{
    return column == 0 ? 8 : column < 3 ? 4 : slot->shape && slot->kinds[column - 3] == 'n' ? 8 : 4;
}

static int column_count(const Slot *slot)
{
    return 3 + (slot->shape ? slot->arguments : 1);
}

/* Room for the next row. */
static __attribute__((noinline)) int more_rows(Slot *slot, uint32_t piece)
{
    Columns *columns = slot->columns;
    if (!columns && !(columns = slot->columns = calloc(1, sizeof(Columns)))) {
        PyErr_NoMemory();
        return -1;
    }
    uint32_t room = columns->room * 2;
    if (!room) {
        columns->code = NO_SLOT; /* codes are those of one piece */
        room = columns->piece + 1 == piece ? columns->before + columns->before / 8 + 16 : 64;
    }
    for (int i = 0; i < column_count(slot); i++) {
        Py_ssize_t size = (Py_ssize_t)(room * width_of(slot, i));
        if (!columns->bytes[i])
            columns->bytes[i] = PyBytes_FromStringAndSize(NULL, size);
        else
            _PyBytes_Resize(&columns->bytes[i], size);
        if (!columns->bytes[i]) {
            columns->room = 0;
            return -1;
        }
        void *place = PyBytes_AS_STRING(columns->bytes[i]);
        if (i == 0)
            columns->t_ns = place;
        else if (i == 1)
            columns->pid = place;
        else if (i == 2)
            columns->row = place;
        else
            columns->argument[i - 3] = place;
    }
    columns->room = room;
    return 0;
}

/* `count` numbers, `count` being known when this is compiled. */
static inline __attribute__((always_inline)) void add_numbers(
    void **arguments, uint32_t at, const uint8_t *p, const int count, const int swapped)
{
    for (int a = 0; a < count; a++)
        ((uint64_t *)arguments[a])[at] = get64(p + 8 * a, swapped);
}

static inline __attribute__((always_inline)) int add_text(
    Decoder *self, Columns *columns, int a, uint32_t at, const uint8_t *data, const uint8_t *p, uint32_t length)
{
    uint32_t *column = columns->argument[a];
    uint32_t code = code_of(self, columns, data, p, length);
    column[at] = code;
    return __builtin_expect(code == NO_SLOT, 0) ? -1 : 0;
}

static __attribute__((noinline)) int add_mixed(
    Decoder *self, const Slot *slot, uint32_t at, const uint8_t *data, const uint8_t *p, int swapped)
{
    for (int a = slot->leading; a < slot->arguments; a++) {
        if (slot->kinds[a] == 'n') {
            ((uint64_t *)slot->columns->argument[a])[at] = get64(p, swapped);
            p += 8;
            continue;
        }
        uint32_t size = get32(p, swapped);
        if (add_text(self, slot->columns, a, at, data, p + 4, size))
            return -1;
        p += 4 + size;
    }
    return 0;
}

static inline __attribute__((always_inline)) int add_row(
    Decoder *self, Slot *slot, uint32_t row, const uint8_t *data, const uint8_t *r, uint64_t t_ns, const int swapped)
{
    uint32_t at = slot->here;
    if (__builtin_expect(!slot->columns || at == slot->columns->room, 0) && more_rows(slot, self->piece))
        return -1;
    Columns *columns = slot->columns;
    columns->t_ns[at] = t_ns;
    columns->pid[at] = get32(r + 20, swapped);
    columns->row[at] = row;
    const uint8_t *p = r + COUNTED;
    void **arguments = columns->argument;
    switch (slot->leading) {
    case 0: break;
    case 1: add_numbers(arguments, at, p, 1, swapped); break;
    case 2: add_numbers(arguments, at, p, 2, swapped); break;
    case 3: add_numbers(arguments, at, p, 3, swapped); break;
    case 4: add_numbers(arguments, at, p, 4, swapped); break;
    case 5: add_numbers(arguments, at, p, 5, swapped); break;
    case 6: add_numbers(arguments, at, p, 6, swapped); break;
    default:
        for (int a = 0; a < slot->leading; a++)
            ((uint64_t *)arguments[a])[at] = get64(p + 8 * a, swapped);
    }
    p += 8 * slot->leading;
    switch (slot->shape) {
    case NUMBERS: return 0;
    case NUMBERS_AND_STRING: return add_text(self, columns, slot->leading, at, data, p + 4, get32(p, swapped));
    case MIXED: return add_mixed(self, slot, at, data, p, swapped);
    default: return add_text(self, columns, 0, at, data, p, get32(r + 16, swapped) - COUNTED); /* all bytes of it */
    }
}

/* The columns of an event, cut to their size. */
static PyObject *take_columns(Slot *slot, uint32_t number, uint32_t piece)
{
    Columns *columns = slot->columns;
    int count = column_count(slot);
    for (int i = 0; i < count; i++)
        if (_PyBytes_Resize(&columns->bytes[i], (Py_ssize_t)(slot->here * width_of(slot, i))))
            return NULL;
    columns->room = 0;
    columns->before = slot->here;
    columns->piece = piece;
    PyObject *found = PyTuple_New(5), *parts = PyTuple_New(count - 3), *index = PyLong_FromUnsignedLong(number);
    if (!found || !parts || !index) {
        Py_XDECREF(found);
        Py_XDECREF(parts);
        Py_XDECREF(index);
        return NULL;
    }
    PyTuple_SET_ITEM(found, 0, index);
    PyTuple_SET_ITEM(found, 4, parts);
    for (int i = 0; i < count; i++) {
        if (i < 3)
            PyTuple_SET_ITEM(found, i + 1, columns->bytes[i]);
        else
            PyTuple_SET_ITEM(parts, i - 3, columns->bytes[i]);
        columns->bytes[i] = NULL;
    }
    return found;
}

/* What is kept of each record. */
enum { COUNTS, PLACES, COLUMNS };

static __attribute__((noinline)) int touch(Decoder *self, uint32_t number, uint64_t t_ns)
{
    if (self->touched_count == self->touched_room &&
        grow((void **)&self->touched, &self->touched_room, sizeof(uint32_t), self->touched_count + 1))
        return -1;
    self->touched[self->touched_count++] = number;
    if (!self->slots[number].total)
        self->slots[number].first_ns = t_ns;
    return 0;
}

static __attribute__((noinline)) int more_places(Decoder *self, uint32_t count)
{
    uint32_t room = self->room, again = self->room;
    if (grow((void **)&self->offset, &room, sizeof(uint32_t), count + 1) ||
        grow((void **)&self->slot, &again, sizeof(uint32_t), count + 1))
        return -1;
    self->room = room;
    return 0;
}

static inline __attribute__((always_inline)) int walk(
    Decoder *self, const uint8_t *data, Py_ssize_t *at, Py_ssize_t end, const int swapped, const int prefix,
    const int rows)
{
    Py_ssize_t p = *at;
    int reason = MORE;
    uint32_t count = 0;
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
        uint32_t number = find_slot(self, id);
        if (__builtin_expect(number == NO_SLOT, 0)) {
            reason = UNKNOWN;
            break;
        }
        uint64_t t_ns = get64(r + 8, swapped);
        if (__builtin_expect(!self->begun, 0)) {
            self->begun = 1;
            self->begin_ns = t_ns;
        }
        Slot *slot = self->slots + number;
        int64_t since = (int64_t)(t_ns - self->begin_ns);
        if (slot->wanted && since >= self->since_ns && since <= self->until_ns) {
            if (!fits(slot, r + COUNTED, length - COUNTED, swapped)) {
                number++;
                slot++;
            } else if (id == DROPPED) {
                self->lost += get64(r + COUNTED, swapped);
            }
            if (!slot->here && touch(self, number, t_ns))
                return -1;
            slot->last_ns = t_ns;
            if (rows == COLUMNS) {
                if (add_row(self, slot, count, data, r, t_ns, swapped))
                    return -1;
            } else if (rows == PLACES) {
                if (count == self->room && more_places(self, count))
                    return -1;
                self->offset[count] = (uint32_t)(r - data);
                self->slot[count] = number;
            }
            slot->here++;
            count++;
        }
        p += prefix + length;
    }
    *at = p;
    self->count = count;
    return reason;
}

static void forget_piece(Decoder *self)
{
    for (uint32_t i = 0; i < self->touched_count; i++) {
        Slot *slot = self->slots + self->touched[i];
        slot->total += slot->here;
        slot->here = 0;
        if (slot->columns)
            drop_columns(slot->columns);
    }
    self->touched_count = self->count = 0;
    self->piece++;
}

static inline __attribute__((always_inline)) int first_pass(
    Decoder *self, const Py_buffer *view, Py_ssize_t *at, Py_ssize_t end, const int rows)
{
    const uint8_t *data = view->buf;
    if (*at < 0 || end < *at || end > view->len || view->len > INT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "begin and end are not within the data");
        return -1;
    }
    forget_piece(self);
    if (self->swapped)
        return self->prefix ? walk(self, data, at, end, 1, 8, rows) : walk(self, data, at, end, 1, 0, rows);
    return self->prefix ? walk(self, data, at, end, 0, 8, rows) : walk(self, data, at, end, 0, 0, rows);
}

/* ---- what Python calls ---- */

static PyObject *decoder_columns(Decoder *self, PyObject *args)
{
    Py_buffer view;
    Py_ssize_t at, end;
    PyObject *list = NULL, *result = NULL, *texts;
    if (!PyArg_ParseTuple(args, "y*nn", &view, &at, &end))
        return NULL;
    int reason = first_pass(self, &view, &at, end, COLUMNS);
    if (reason < 0)
        goto done;
    if (!(list = PyList_New(self->touched_count)))
        goto done;
    for (uint32_t i = 0; i < self->touched_count; i++) {
        PyObject *found = take_columns(self->slots + self->touched[i], self->touched[i], self->piece);
        if (!found)
            goto done;
        PyList_SET_ITEM(list, i, found);
    }
    if ((texts = take_texts(self, view.buf)))
        result = Py_BuildValue("niION", at, reason, self->count, list, texts);
done:
    if (!result)
        forget_texts(self);
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
    int reason = first_pass(self, &view, &at, end, COUNTS);
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
    PyObject *labels = slot->shape ? slot->labels : slot[-1].labels;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(labels); i++)
        bound += (size_t)PyBytes_GET_SIZE(PyTuple_GET_ITEM(labels, i)) + 24;
    return bound;
}

static char *put_line(Decoder *self, const Slot *slot, const uint8_t *r, char *out)
{
    int swapped = self->swapped;
    PyObject *labels = slot->shape ? slot->labels : slot[-1].labels;
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
    if (!slot->shape) {
        memcpy(out, " raw=", 5);
        out += 5;
        for (uint32_t i = 0; i < length; i++) {
            *out++ = HEX[p[i] >> 4];
            *out++ = HEX[p[i] & 15];
        }
    }
    for (int a = 0; slot->shape && a < slot->arguments; a++) {
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
    int reason = first_pass(self, &view, &at, end, PLACES);
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
    slot->wanted = slot[1].wanted = (uint8_t)wanted;
    slot->arguments = (uint8_t)count;
    int strings = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        slot->kinds[i] = kinds[i];
        strings += kinds[i] == 's';
        slot->leading += !strings;
    }
    slot->shape = !kinds ? RAW : !strings ? NUMBERS : slot->leading + 1 == count ? NUMBERS_AND_STRING : MIXED;
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
    for (uint32_t i = 0; i < self->slot_count; i++) {
        Py_XDECREF(self->slots[i].labels);
        if (self->slots[i].columns)
            drop_columns(self->slots[i].columns);
        free(self->slots[i].columns);
    }
    free(self->slots);
    free(self->direct);
    free(self->offset);
    free(self->slot);
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
