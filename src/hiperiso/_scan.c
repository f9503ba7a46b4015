/* The first step of matching in one pass: see hiperiso/analysis/anchors.py, which does the same without it.
 *
 * table(words, marks) -> capsule; lines(capsule, block, start) -> [(begin, end), ...]
 *
 * A word is a run of ASCII letters and digits, folded to lower case; a mark is any bytes. A line that holds one of
 * them is reported once, by the offsets of its begin and of its newline.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *text;
    Py_ssize_t length;
    uint32_t hash;
    Py_ssize_t number; /* words first, in the order given, then marks */
} Item;

typedef struct {
    PyObject *kept;       /* the bytes that the items point into */
    Item *words;          /* open addressing; empty where text is NULL */
    size_t mask;
    Item *marks;          /* sorted by first byte */
    Py_ssize_t mark_begin[257];
    unsigned char fold[256];
    unsigned char pair[1 << 13]; /* which first two letters words begin with, a bit each */
    Py_ssize_t shortest, longest;
} Table;

static const char *NAME = "hiperiso._scan.table";

static uint32_t step(uint32_t hash, unsigned char c) { return (hash ^ c) * 16777619u; }

static void forget(Table *table)
{
    if (table) {
        Py_XDECREF(table->kept);
        free(table->words);
        free(table->marks);
        free(table);
    }
}

static void forget_capsule(PyObject *capsule) { forget(PyCapsule_GetPointer(capsule, NAME)); }

static int add_words(Table *table, PyObject *words)
{
    Py_ssize_t count = PyList_GET_SIZE(words);
    size_t size = 16;
    while (size < (size_t)count * 4)
        size *= 2;
    table->mask = size - 1;
    table->words = calloc(size, sizeof(Item));
    if (!table->words)
        return -1;
    table->shortest = PY_SSIZE_T_MAX;
    for (Py_ssize_t i = 0; i < count; i++) {
        char *text;
        Py_ssize_t length;
        if (PyBytes_AsStringAndSize(PyList_GET_ITEM(words, i), &text, &length) < 0)
            return -1;
        if (length < 2) {
            PyErr_SetString(PyExc_ValueError, "a word has at least two letters");
            return -1;
        }
        uint32_t hash = 2166136261u;
        for (Py_ssize_t k = 0; k < length; k++)
            hash = step(hash, (unsigned char)text[k]);
        size_t at = hash & table->mask;
        while (table->words[at].text)
            at = (at + 1) & table->mask;
        table->words[at] = (Item){text, length, hash, i};
        unsigned first = (unsigned)(unsigned char)text[0] << 8 | (unsigned char)text[1];
        table->pair[first >> 3] |= 1 << (first & 7);
        if (length < table->shortest)
            table->shortest = length;
        if (length > table->longest)
            table->longest = length;
    }
    return 0;
}

static int by_first(const void *a, const void *b)
{
    return (int)(unsigned char)((const Item *)a)->text[0] - (int)(unsigned char)((const Item *)b)->text[0];
}

static int add_marks(Table *table, PyObject *marks, Py_ssize_t first_number)
{
    Py_ssize_t count = PyTuple_GET_SIZE(marks);
    table->marks = calloc((size_t)count + 1, sizeof(Item));
    if (!table->marks)
        return -1;
    for (Py_ssize_t i = 0; i < count; i++) {
        char *text;
        Py_ssize_t length;
        if (PyBytes_AsStringAndSize(PyTuple_GET_ITEM(marks, i), &text, &length) < 0)
            return -1;
        if (length < 1) {
            PyErr_SetString(PyExc_ValueError, "a mark is not empty");
            return -1;
        }
        table->marks[i] = (Item){text, length, 0, first_number + i};
    }
    qsort(table->marks, (size_t)count, sizeof(Item), by_first);
    Py_ssize_t next = 0;
    for (int c = 0; c < 256; c++) {
        table->mark_begin[c] = next;
        while (next < count && (unsigned char)table->marks[next].text[0] == c)
            next++;
    }
    table->mark_begin[256] = next;
    return 0;
}

static PyObject *make_table(PyObject *self, PyObject *arguments)
{
    PyObject *words, *marks;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "O!O!", &PyList_Type, &words, &PyTuple_Type, &marks))
        return NULL;
    Table *table = calloc(1, sizeof(Table));
    if (!table)
        return PyErr_NoMemory();
    words = PyList_GetSlice(words, 0, PyList_GET_SIZE(words)); /* our own copy: never modified */
    if (!words) {
        free(table);
        return NULL;
    }
    table->kept = PyTuple_Pack(2, words, marks);
    Py_DECREF(words);
    for (int c = 0; c < 256; c++)
        table->fold[c] = (unsigned char)((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ? c
                                         : c >= 'A' && c <= 'Z'                           ? c + 32
                                                                                          : 0);
    if (!table->kept || add_words(table, words) < 0 || add_marks(table, marks, PyList_GET_SIZE(words)) < 0) {
        forget(table);
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    PyObject *capsule = PyCapsule_New(table, NAME, forget_capsule);
    if (!capsule)
        forget(table);
    return capsule;
}

static const Item *find_word(const Table *table, const unsigned char *word, Py_ssize_t length, uint32_t hash)
{
    for (size_t at = hash & table->mask; table->words[at].text; at = (at + 1) & table->mask) {
        const Item *item = &table->words[at];
        if (item->hash != hash || item->length != length)
            continue;
        Py_ssize_t k = 0;
        while (k < length && table->fold[word[k]] == (unsigned char)item->text[k])
            k++;
        if (k == length)
            return item;
    }
    return NULL;
}

static int has_mark(const Table *table, const unsigned char *at, Py_ssize_t room)
{
    for (Py_ssize_t i = table->mark_begin[*at]; i < table->mark_begin[*at + 1]; i++)
        if (table->marks[i].length <= room && !memcmp(table->marks[i].text, at, (size_t)table->marks[i].length))
            return 1;
    return 0;
}

static PyObject *find_lines(PyObject *self, PyObject *arguments)
{
    PyObject *capsule, *found;
    const char *buffer;
    Py_ssize_t size, at;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "Oy#n", &capsule, &buffer, &size, &at))
        return NULL;
    const Table *table = PyCapsule_GetPointer(capsule, NAME);
    if (!table || !(found = PyList_New(0)))
        return NULL;
    const unsigned char *text = (const unsigned char *)buffer;
    Py_ssize_t line = at;
    while (at < size) {
        unsigned char c = text[at];
        int hit = table->mark_begin[c] != table->mark_begin[c + 1] && has_mark(table, text + at, size - at);
        if (!hit && table->fold[c] && (at == 0 || !table->fold[text[at - 1]])) {
            Py_ssize_t begin = at;
            uint32_t hash = step(2166136261u, table->fold[c]);
            unsigned first = (unsigned)table->fold[c] << 8 | (at + 1 < size ? table->fold[text[at + 1]] : 0);
            if (table->pair[first >> 3] & (1 << (first & 7))) {
                for (at++; at < size && table->fold[text[at]]; at++)
                    hash = step(hash, table->fold[text[at]]);
                Py_ssize_t length = at - begin;
                hit = length >= table->shortest && length <= table->longest
                      && find_word(table, text + begin, length, hash) != NULL;
                at = begin;
            }
        }
        if (hit) {
            const unsigned char *end = memchr(text + at, '\n', (size_t)(size - at));
            at = end ? end - text : size;
            PyObject *pair = Py_BuildValue("(nn)", line, at);
            if (!pair || PyList_Append(found, pair) < 0) {
                Py_XDECREF(pair);
                Py_DECREF(found);
                return NULL;
            }
            Py_DECREF(pair);
            line = ++at;
            continue;
        }
        if (c == '\n')
            line = at + 1;
        at++;
    }
    return found;
}

static int note(PyObject *found, Py_ssize_t number)
{
    PyObject *value = PyLong_FromSsize_t(number);
    int failed = !value || PyList_Append(found, value) < 0;
    Py_XDECREF(value);
    return failed ? -1 : 0;
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
    for (Py_ssize_t at = 0; at < size; at++) {
        for (Py_ssize_t i = table->mark_begin[text[at]]; i < table->mark_begin[text[at] + 1]; i++)
            if (table->marks[i].length <= size - at && !memcmp(table->marks[i].text, text + at, (size_t)table->marks[i].length)
                && note(found, table->marks[i].number) < 0)
                goto failed;
        if (!table->fold[text[at]] || (at > 0 && table->fold[text[at - 1]]))
            continue;
        uint32_t hash = 2166136261u;
        Py_ssize_t end = at;
        for (; end < size && table->fold[text[end]]; end++)
            hash = step(hash, table->fold[text[end]]);
        const Item *item = find_word(table, text + at, end - at, hash);
        if (item && note(found, item->number) < 0)
            goto failed;
    }
    return found;
failed:
    Py_DECREF(found);
    return NULL;
}

static PyMethodDef methods[] = {
    {"table", make_table, METH_VARARGS, "table(words, marks): prepare a list of words and a tuple of marks, bytes each."},
    {"lines", find_lines, METH_VARARGS, "lines(table, block, start): offsets of the lines that hold any of them."},
    {"find", find_items, METH_VARARGS, "find(table, text): numbers of the words and marks in it, in order."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_scan", "Looks for many words in one pass.", -1, methods,
                                    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__scan(void) { return PyModule_Create(&module); }
