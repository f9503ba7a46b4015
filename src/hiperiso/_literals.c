/* The first step of matching in one pass: see hiperiso/analysis/anchors.py, which does the same without it.
 *
 * table([(literal, at, length), ...]) -> capsule; lines(capsule, block) -> [(begin, end), ...]
 *
 * The anchor of a literal is the word in it, a run of ASCII letters and digits, from `at` on; without one, `length` is
 * 0. A line that holds a literal whose anchor is a whole word in it is reported once, by the offsets of its begin and
 * of its newline.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct Item {
    const char *text; /* the literal */
    Py_ssize_t length;
    Py_ssize_t at; /* its anchor */
    Py_ssize_t word_length;
    Py_ssize_t number;
    struct Item *next; /* of the same chain: the same hash of anchors, or the same first byte of marks */
} Item;

enum { WORD_BYTE = 1, MARK_BYTE = 2 };
enum { BUCKETS = 1 << 12, HEADS = 1 << 15 };

typedef struct {
    PyObject *kept; /* the bytes that the items point into */
    Item *items;
    Item *buckets[BUCKETS];
    Item *marks[256];
    unsigned char kind[256];
    unsigned char heads[HEADS >> 3]; /* which first three bytes anchors begin with, a bit each, by hash */
} Table;

static const char *NAME = "hiperiso._literals.table";

static unsigned bucket_of(const unsigned char *word, Py_ssize_t length)
{
    uint32_t hash = 2166136261u;
    for (Py_ssize_t k = 0; k < length; k++)
        hash = (hash ^ word[k]) * 16777619u;
    return (hash ^ hash >> 12) & (BUCKETS - 1);
}

static unsigned head_of(unsigned char a, unsigned char b, unsigned char c)
{
    return ((unsigned)a | (unsigned)b << 5 | (unsigned)c << 9) & (HEADS - 1);
}

static void forget(Table *table)
{
    if (table) {
        Py_XDECREF(table->kept);
        free(table->items);
        free(table);
    }
}

static void forget_capsule(PyObject *capsule) { forget(PyCapsule_GetPointer(capsule, NAME)); }

static int add_item(Table *table, Py_ssize_t number, PyObject *row)
{
    Item *item = &table->items[number];
    char *text;
    item->number = number;
    if (!PyTuple_Check(row) || PyTuple_GET_SIZE(row) != 3
        || PyBytes_AsStringAndSize(PyTuple_GET_ITEM(row, 0), &text, &item->length) < 0) {
        PyErr_SetString(PyExc_TypeError, "a literal is (bytes, offset, length)");
        return -1;
    }
    item->text = text;
    item->at = PyLong_AsSsize_t(PyTuple_GET_ITEM(row, 1));
    item->word_length = PyLong_AsSsize_t(PyTuple_GET_ITEM(row, 2));
    if (PyErr_Occurred())
        return -1;
    if (item->length < 1 || item->at < 0 || item->word_length < 0 || item->at > item->length
        || item->word_length > item->length - item->at || item->word_length == 1) {
        PyErr_SetString(PyExc_ValueError, "an anchor has at least two letters and lies within its literal");
        return -1;
    }
    Item **chain;
    const unsigned char *word = (const unsigned char *)text + item->at;
    if (item->word_length) {
        chain = &table->buckets[bucket_of(word, item->word_length)];
        unsigned head = head_of(word[0], word[1], item->word_length > 2 ? word[2] : 0);
        table->heads[head >> 3] |= (unsigned char)(1 << (head & 7));
    } else {
        if (table->kind[(unsigned char)text[0]] & WORD_BYTE) {
            PyErr_SetString(PyExc_ValueError, "a literal without an anchor begins with no letter");
            return -1;
        }
        chain = &table->marks[(unsigned char)text[0]];
        table->kind[(unsigned char)text[0]] |= MARK_BYTE;
    }
    item->next = *chain;
    *chain = item;
    return 0;
}

static PyObject *make_table(PyObject *self, PyObject *arguments)
{
    PyObject *rows;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "O!", &PyList_Type, &rows))
        return NULL;
    Table *table = calloc(1, sizeof(Table));
    if (!table)
        return PyErr_NoMemory();
    table->kept = PyList_AsTuple(rows); /* our own copy: never modified */
    if (!table->kept) {
        forget(table);
        return NULL;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(table->kept);
    table->items = calloc((size_t)count + 1, sizeof(Item));
    if (!table->items) {
        forget(table);
        return PyErr_NoMemory();
    }
    for (int c = 0; c < 256; c++)
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
            table->kind[c] |= WORD_BYTE;
    for (Py_ssize_t number = 0; number < count; number++)
        if (add_item(table, number, PyTuple_GET_ITEM(table->kept, number)) < 0) {
            forget(table);
            return NULL;
        }
    PyObject *capsule = PyCapsule_New(table, NAME, forget_capsule);
    if (!capsule)
        forget(table);
    return capsule;
}

/* The next item of a chain that the text has here; a word of it begins at `at` and has `length` bytes, a mark none. */
static const Item *matching(const Item *item, const unsigned char *text, Py_ssize_t size, Py_ssize_t at, Py_ssize_t length)
{
    for (; item; item = item->next)
        if (item->word_length == length && item->at <= at && item->length <= size - (at - item->at)
            && !memcmp(item->text, text + at - item->at, (size_t)item->length))
            return item;
    return NULL;
}

/* The end of the word that begins here, and the items that it may be the anchor of. */
static Py_ssize_t word_end(const Table *table, const unsigned char *text, Py_ssize_t size, Py_ssize_t at, const Item **chain)
{
    Py_ssize_t begin = at;
    while (at < size && table->kind[text[at]] & WORD_BYTE)
        at++;
    *chain = NULL;
    if (at - begin >= 2) {
        unsigned head = head_of(text[begin], text[begin + 1], at - begin > 2 ? text[begin + 2] : 0);
        if (table->heads[head >> 3] & (1 << (head & 7)))
            *chain = table->buckets[bucket_of(text + begin, at - begin)];
    }
    return at;
}

static PyObject *find_lines(PyObject *self, PyObject *arguments)
{
    PyObject *capsule, *found;
    const char *buffer;
    Py_ssize_t size, at = 0, line = 0;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "Oy#", &capsule, &buffer, &size))
        return NULL;
    const Table *table = PyCapsule_GetPointer(capsule, NAME);
    if (!table || !(found = PyList_New(0)))
        return NULL;
    const unsigned char *text = (const unsigned char *)buffer;
    while (at < size) {
        unsigned char c = text[at], kind = table->kind[c];
        int hit = 0;
        Py_ssize_t end = at + 1;
        if (kind & MARK_BYTE)
            hit = matching(table->marks[c], text, size, at, 0) != NULL;
        if (kind & WORD_BYTE && !hit) {
            const Item *chain;
            end = word_end(table, text, size, at, &chain);
            hit = matching(chain, text, size, at, end - at) != NULL;
        } else if (c == '\n' && !hit) {
            line = end;
        }
        if (hit) {
            const unsigned char *newline = memchr(text + at, '\n', (size_t)(size - at));
            end = newline ? newline - text : size;
            PyObject *pair = Py_BuildValue("(nn)", line, end);
            if (!pair || PyList_Append(found, pair) < 0) {
                Py_XDECREF(pair);
                Py_DECREF(found);
                return NULL;
            }
            Py_DECREF(pair);
            line = ++end;
        }
        at = end;
    }
    return found;
}

static int note_all(PyObject *found, const Item *item, const unsigned char *text, Py_ssize_t size, Py_ssize_t at, Py_ssize_t length)
{
    for (item = matching(item, text, size, at, length); item; item = matching(item->next, text, size, at, length)) {
        PyObject *value = PyLong_FromSsize_t(item->number);
        int failed = !value || PyList_Append(found, value) < 0;
        Py_XDECREF(value);
        if (failed)
            return -1;
    }
    return 0;
}

static PyObject *find_items(PyObject *self, PyObject *arguments)
{
    PyObject *capsule, *found;
    const char *buffer;
    Py_ssize_t size;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "Oy#", &capsule, &buffer, &size))
        return NULL;
    const Table *table = PyCapsule_GetPointer(capsule, NAME);
    if (!table || !(found = PyList_New(0)))
        return NULL;
    const unsigned char *text = (const unsigned char *)buffer;
    for (Py_ssize_t at = 0, end; at < size; at = end) {
        end = at + 1;
        if (table->kind[text[at]] & MARK_BYTE && note_all(found, table->marks[text[at]], text, size, at, 0) < 0)
            goto failed;
        if (table->kind[text[at]] & WORD_BYTE) {
            const Item *chain;
            end = word_end(table, text, size, at, &chain);
            if (note_all(found, chain, text, size, at, end - at) < 0)
                goto failed;
        }
    }
    return found;
failed:
    Py_DECREF(found);
    return NULL;
}

static PyMethodDef methods[] = {
    {"table", make_table, METH_VARARGS, "table([(literal, at, length), ...]): prepare literals with their anchors."},
    {"lines", find_lines, METH_VARARGS, "lines(table, block): offsets of the lines that hold any of them."},
    {"find", find_items, METH_VARARGS, "find(table, text): numbers of the literals in it."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_literals", "Looks for many words in one pass.", -1, methods,
                                    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__literals(void) { return PyModule_Create(&module); }
