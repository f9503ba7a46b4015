/* The hot loop of reading QEMU's text traces: see hiperiso/trace/textlog.py, which gives the same answers without it.
 *
 * Converter(raw)
 *   .event(name, id, parts)           parts: ((literal, letter, bits, signed, left), ...); after the last literal no
 *                                     letter. None where its text is not to be taken apart.
 *   .convert(data, begin, end) -> (stop, records, lines, others, refused, name)
 *
 * Takes whole lines and makes the records that QEMU's binary backend would have written. Stops where an event has no
 * id yet: `name` says which. Counts the lines with records, those that are not of a trace, and, without `raw`, those
 * whose text is not as declared; with `raw` they become records with their text as it is.
 */
#define _GNU_SOURCE /* memmem */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINE 4096
#define MAX_NAME 128
#define MAX_PARTS 17
#define HEAD 32

typedef struct {
    const char *literal;
    Py_ssize_t length;
    char letter;    /* 0 after the last literal */
    char last;      /* no further letter follows */
    char wide;      /* '#': a 0x of its own */
    char left;
    char before_0x; /* a hexadecimal number right before "0x" */
    char is_signed;
    uint8_t bits;
} Part;

typedef struct {
    PyObject *name, *kept;
    uint64_t hash, id;
    int parts; /* -1: not to be taken apart */
    int arguments;
    Part part[MAX_PARTS];
} Event;

typedef struct {
    PyObject_HEAD
    int raw;
    Event **events; /* open addressing */
    uint32_t mask, count;
    char *out;
    size_t room;
} Converter;

static uint64_t hash_of(const char *p, size_t length)
{
    uint64_t hash = length * 0x9e3779b97f4a7c15ull, word;
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
        memcpy(&word, p + i, 8);
        hash = ((hash ^ hash >> 32) ^ word) * 0xff51afd7ed558ccdull;
    }
    for (word = 0; i < length; i++)
        word = word << 8 | (uint8_t)p[i];
    hash = ((hash ^ hash >> 32) ^ word) * 0xff51afd7ed558ccdull;
    return hash ^ hash >> 32;
}

static Event **place_of(Event **events, uint32_t mask, const char *name, size_t length, uint64_t hash)
{
    uint32_t at = (uint32_t)hash & mask;
    while (events[at] && (events[at]->hash != hash || (size_t)PyBytes_GET_SIZE(events[at]->name) != length ||
                          memcmp(PyBytes_AS_STRING(events[at]->name), name, length)))
        at = (at + 1) & mask;
    return events + at;
}

static const uint8_t DIGIT[256] = {
    ['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7, ['7'] = 8, ['8'] = 9, ['9'] = 10,
    ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* A number of at least one and at most `most` digits; NULL where there is none, or a longer one. */
static inline __attribute__((always_inline)) const char *number_until(
    const char *p, const char *end, unsigned base, int most, uint64_t *value, const int before_0x)
{
    const char *begin = p;
    uint64_t v = 0;
    unsigned digit;
    while (p < end && (digit = DIGIT[(uint8_t)*p]) && digit <= base) {
        if (before_0x && *p == '0' && p + 1 < end && p[1] == 'x')
            break;
        v = v * base + (digit - 1);
        p++;
    }
    *value = v;
    return p > begin && p - begin <= most ? p : NULL;
}

static inline __attribute__((always_inline)) const char *number(
    const char *p, const char *end, unsigned base, int most, uint64_t *value)
{
    return number_until(p, end, base, most, value, 0);
}

static const char *spaces(const char *p, const char *end)
{
    while (p < end && *p == ' ')
        p++;
    return p;
}

/* Take one argument's number; NULL where the text is not as declared. */
static inline const char *take_number(const Part *part, const char *p, const char *end, uint64_t *found)
{
    uint64_t v = 0;
    int minus;
    if (part->letter != 'c' && part->letter != '*')
        p = spaces(p, end);
    switch (part->letter) {
    case 'c':
        if (p == end)
            return NULL;
        v = (uint8_t)*p++;
        break;
    case '*': { /* the width of what follows */
        const char *digits = spaces(p, end), *after = number(digits, end, 16, 16, &v);
        if (!after)
            return NULL;
        v = (uint64_t)(after - digits);
        break;
    }
    case 'd':
        minus = p < end && *p == '-';
        if (!(p = number(p + minus, end, 10, 20, &v)))
            return NULL;
        v = minus ? 0 - v : v;
        break;
    case 'x':
        if (part->wide && end - p > 2 && p[0] == '0' && (p[1] | 32) == 'x')
            p += 2;
        if (!(p = part->before_0x ? number_until(p, end, 16, 16, &v, 1) : number(p, end, 16, 16, &v)))
            return NULL;
        break;
    case 'p':
        if (end - p >= 5 && !memcmp(p, "(nil)", 5)) {
            p += 5;
            break;
        }
        if (end - p < 3 || p[0] != '0' || p[1] != 'x' || !(p = number(p + 2, end, 16, 16, &v)))
            return NULL;
        break;
    }
    if (part->bits < 64) {
        uint64_t mask = ((uint64_t)1 << part->bits) - 1;
        v &= mask;
        if (part->is_signed && v >> (part->bits - 1))
            v |= ~mask;
    }
    *found = v;
    return part->left ? spaces(p, end) : p;
}

/* Where a string ends that `next` follows; NULL where that is not there. */
static const char *end_of_string(const Part *next, const char *p, const char *end)
{
    if (next->length)
        return memmem(p, (size_t)(end - p), next->literal, (size_t)next->length);
    while (next->letter == 'd' && p < end && *p != '-' && (uint8_t)(*p - '0') > 9)
        p++;
    return p;
}

/* The arguments as the binary backend writes them; NULL where the text is not as declared. */
static char *take_arguments(const Event *event, const char *p, const char *end, char *out)
{
    for (int i = 0; i < event->parts; i++) {
        const Part *part = event->part + i;
        if (end - p < part->length || memcmp(p, part->literal, (size_t)part->length))
            return NULL;
        p += part->length;
        if (!part->letter)
            break;
        if (part->letter != 's') {
            uint64_t v;
            if (!(p = take_number(part, p, end, &v)))
                return NULL;
            memcpy(out, &v, 8);
            out += 8;
            continue;
        }
        const Part *next = part + 1;
        if (part->bits)
            p = spaces(p, end);
        const char *stop = end - next->length;
        if (stop < p)
            return NULL;
        if (!part->last && !(stop = end_of_string(next, p, end)))
            return NULL;
        uint32_t length = (uint32_t)(stop - p);
        if (length == 6 && !memcmp(p, "(null)", 6))
            length = 0;
        memcpy(out, &length, 4);
        memcpy(out + 4, p, length);
        out += 4 + length;
        p = stop;
    }
    return p == end ? out : NULL;
}

typedef struct {
    const char *name, *text;
    size_t name_length;
    uint64_t t_ns, pid;
} Head;

/* The head of a line: [pid@]seconds.fraction:name, and where its text begins. */
static int take_head(const char *p, const char *end, Head *head)
{
    uint64_t first, fraction;
    static const uint32_t scale[10] = {0, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
    head->pid = 0;
    if (!(p = number(p, end, 10, 12, &first)) || p == end)
        return 0;
    if (*p == '@') {
        if (first > UINT32_MAX)
            return 0;
        head->pid = first;
        if (!(p = number(p + 1, end, 10, 12, &first)) || p == end)
            return 0;
    }
    const char *begin = p + 1;
    if (*p != '.' || first > 9000000000u || !(p = number(begin, end, 10, 9, &fraction)) || p == end || *p != ':')
        return 0;
    head->t_ns = first * 1000000000u + fraction * scale[p - begin];
    head->name = ++p;
    while (p < end && ((uint8_t)((*p | 32) - 'a') < 26 || (uint8_t)(*p - '0') < 10 || *p == '_'))
        p++;
    head->name_length = (size_t)(p - head->name);
    if (!head->name_length || head->name_length > MAX_NAME || (p < end && *p != ' '))
        return 0;
    head->text = p < end ? p + 1 : p;
    return 1;
}

static char *put_head(char *out, uint64_t id, const Head *head, size_t arguments)
{
    uint64_t words[3] = {1, id, head->t_ns};
    uint32_t halves[2] = {(uint32_t)(24 + arguments), (uint32_t)head->pid};
    memcpy(out, words, 24);
    memcpy(out + 24, halves, 8);
    return out + HEAD;
}

static PyObject *convert(Converter *self, PyObject *args)
{
    Py_buffer view;
    Py_ssize_t begin, end;
    unsigned long long lines = 0, others = 0, refused = 0;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(args, "y*nn", &view, &begin, &end))
        return NULL;
    if (begin < 0 || end < begin || end > view.len) {
        PyErr_SetString(PyExc_ValueError, "begin and end are not within the data");
        goto done;
    }
    const char *base = view.buf, *p = base + begin, *stop = base + end;
    char *out = self->out;
    const char *unknown = NULL;
    size_t unknown_length = 0;
    while (p < stop) {
        const char *newline = memchr(p, '\n', (size_t)(stop - p));
        if (!newline)
            break;
        Head head;
        if (newline - p > MAX_LINE || !take_head(p, newline, &head)) {
            others++;
            p = newline + 1;
            continue;
        }
        uint64_t hash = hash_of(head.name, head.name_length);
        const Event *event = self->events ? *place_of(self->events, self->mask, head.name, head.name_length, hash) : NULL;
        if (!event) {
            unknown = head.name;
            unknown_length = head.name_length;
            break;
        }
        size_t used = (size_t)(out - self->out), need = HEAD + 2 * MAX_LINE + 16 * 8;
        if (used + need > self->room) {
            size_t room = self->room * 2 + (1 << 20);
            char *made = realloc(self->out, room);
            if (!made) {
                PyErr_NoMemory();
                goto done;
            }
            self->out = made;
            self->room = room;
            out = made + used;
        }
        char *after = event->parts < 0 ? NULL : take_arguments(event, head.text, newline, out + HEAD);
        if (!after && self->raw) {
            size_t length = (size_t)(newline - head.text);
            memcpy(out + HEAD, head.text, length);
            if (length % 8 == 0) /* must not look like numbers */
                out[HEAD + length++] = '\n';
            after = out + HEAD + length;
        }
        if (after) {
            put_head(out, event->id, &head, (size_t)(after - out) - HEAD);
            out = after;
            lines++;
        } else {
            refused++;
        }
        p = newline + 1;
    }
    result = Py_BuildValue("ny#KKKy#", (Py_ssize_t)(p - base), self->out ? self->out : "", (Py_ssize_t)(out - self->out),
                           lines, others, refused, unknown ? unknown : "", (Py_ssize_t)unknown_length);
done:
    PyBuffer_Release(&view);
    return result;
}

static int grow_events(Converter *self)
{
    uint32_t size = self->events ? (self->mask + 1) * 2 : 256;
    Event **made = calloc(size, sizeof(Event *));
    if (!made) {
        PyErr_NoMemory();
        return -1;
    }
    for (uint32_t i = 0; self->events && i <= self->mask; i++) {
        Event *event = self->events[i];
        if (event)
            *place_of(made, size - 1, PyBytes_AS_STRING(event->name), (size_t)PyBytes_GET_SIZE(event->name), event->hash) =
                event;
    }
    free(self->events);
    self->events = made;
    self->mask = size - 1;
    return 0;
}

static int take_parts(Event *event, PyObject *parts)
{
    event->parts = (int)PyTuple_GET_SIZE(parts);
    if (event->parts > MAX_PARTS || event->parts == 0)
        return -1;
    for (int i = 0; i < event->parts; i++) {
        PyObject *literal;
        const char *letter;
        int bits, is_signed, left;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(parts, i), "Ssipp", &literal, &letter, &bits, &is_signed, &left))
            return -1;
        event->part[i] = (Part){
            PyBytes_AS_STRING(literal), PyBytes_GET_SIZE(literal), letter[0] == 'X' ? 'x' : letter[0], i + 2 == event->parts,
            letter[0] == 'X', (char)left, 0, (char)is_signed, (uint8_t)bits,
        };
        if ((letter[0] == 0) != (i + 1 == event->parts) || !strchr("dxXpcs*", letter[0]) || bits < 0 || bits > 64)
            return -1;
        if (i)
            event->part[i - 1].before_0x = event->part[i].length >= 2 && !memcmp(event->part[i].literal, "0x", 2);
    }
    return 0;
}

static PyObject *add_event(Converter *self, PyObject *args)
{
    PyObject *name, *parts;
    unsigned long long id;
    if (!PyArg_ParseTuple(args, "SKO", &name, &id, &parts))
        return NULL;
    if ((!self->events || self->count * 2 > self->mask) && grow_events(self))
        return NULL;
    Event *event = calloc(1, sizeof(Event));
    if (!event)
        return PyErr_NoMemory();
    event->parts = -1;
    if (parts != Py_None && (!PyTuple_Check(parts) || take_parts(event, parts))) {
        free(event);
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "parts are not as they should be");
        return NULL;
    }
    event->name = Py_NewRef(name);
    event->kept = Py_NewRef(parts);
    event->id = id;
    const char *text = PyBytes_AS_STRING(name);
    size_t length = (size_t)PyBytes_GET_SIZE(name);
    event->hash = hash_of(text, length);
    Event **place = place_of(self->events, self->mask, text, length, event->hash);
    if (*place) {
        Py_DECREF((*place)->name);
        Py_DECREF((*place)->kept);
        free(*place);
        self->count--;
    }
    *place = event;
    self->count++;
    Py_RETURN_NONE;
}

static PyObject *converter_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    int raw;
    (void)keywords;
    if (!PyArg_ParseTuple(args, "p", &raw))
        return NULL;
    Converter *self = (Converter *)type->tp_alloc(type, 0);
    if (self)
        self->raw = raw;
    return (PyObject *)self;
}

static void converter_dealloc(Converter *self)
{
    for (uint32_t i = 0; self->events && i <= self->mask; i++) {
        if (!self->events[i])
            continue;
        Py_DECREF(self->events[i]->name);
        Py_DECREF(self->events[i]->kept);
        free(self->events[i]);
    }
    free(self->events);
    free(self->out);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef converter_methods[] = {
    {"event", (PyCFunction)add_event, METH_VARARGS, "event(name, id, parts)"},
    {"convert", (PyCFunction)convert, METH_VARARGS, "convert(data, begin, end)"},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject converter_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "hiperiso.trace._textlog.Converter",
    .tp_basicsize = sizeof(Converter),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = converter_new,
    .tp_dealloc = (destructor)converter_dealloc,
    .tp_methods = converter_methods,
    .tp_doc = "Lines of a text trace to records of a binary one.",
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "hiperiso.trace._textlog", .m_doc = "Lines of QEMU's text traces.", .m_size = -1,
};

PyMODINIT_FUNC PyInit__textlog(void)
{
    if (PyType_Ready(&converter_type) < 0)
        return NULL;
    PyObject *made = PyModule_Create(&module);
    if (made && PyModule_AddObjectRef(made, "Converter", (PyObject *)&converter_type) < 0)
        Py_CLEAR(made);
    return made;
}
