/* Adding up and looking through many counts, compiled.

As in `_hot.c`, the Python code is the whole story: `store/lanes.py`, `store/merge.py`, `store/distribution.py` and `store/brief.py`
say what is done, and do it themselves wherever a function here returns None: with counts that need more than 31 bits, and with
numbers that only a damaged file has.

Keeps no state, and lets other threads run while it adds up or reads.
*/

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#ifndef SOURCE
#define SOURCE "unknown"
#endif

#define CELLS 64        /* buckets.CELLS_PER_BLOCK */
#define MOST_BLOCKS 128 /* of one distribution; the widest scheme has 71 */
#define MOST_PARTS 64   /* segments that are added up at once */
#define MOST_BUCKETS 64 /* explicit bounds and one more */
#define LARGEST 0x7fffffff

typedef struct {
    Py_buffer data, places;
} Part;

static int get_buffers(PyObject *pair, Part *part) {
    PyObject *data, *places;
    if (!PyArg_ParseTuple(pair, "OO", &data, &places) || PyObject_GetBuffer(data, &part->data, PyBUF_SIMPLE) < 0)
        return -1;
    if (PyObject_GetBuffer(places, &part->places, PyBUF_SIMPLE) < 0) {
        PyBuffer_Release(&part->data);
        return -1;
    }
    return 0;
}

static void release(Part *parts, Py_ssize_t count) {
    for (Py_ssize_t number = 0; number < count; number++) {
        PyBuffer_Release(&parts[number].data);
        PyBuffer_Release(&parts[number].places);
    }
}

/* Adds up the block of one slot; returns whether all of it is plain. */
static int add_slot(const Part *parts, Py_ssize_t count, Py_ssize_t slot, uint32_t *sums) {
    uint64_t wide[CELLS] = {0}, most = 0;
    uint32_t block[CELLS];
    for (const Part *part = parts; part < parts + count; part++) {
        if (slot >= part->places.len / (Py_ssize_t)sizeof(int64_t))
            continue;
        int64_t place = ((const int64_t *)part->places.buf)[slot];
        if (place < 0)
            continue;
        if (place > part->data.len - (Py_ssize_t)sizeof block)
            return 0;
        memcpy(block, (const char *)part->data.buf + place, sizeof block);
        for (int cell = 0; cell < CELLS; cell++)
            wide[cell] += block[cell];
    }
    for (int cell = 0; cell < CELLS; cell++) {
        most |= wide[cell];
        sums[cell] = (uint32_t)wide[cell];
    }
    return most <= LARGEST;
}

/* LateCounts._sums, then BlockSums.packed: of pairs of a segment's bytes and the places of its blocks by slot. */
static PyObject *sum_blocks(PyObject *module, PyObject *args) {
    PyObject *pairs;
    Py_ssize_t slots, count = 0;
    Part parts[MOST_PARTS];
    if (!PyArg_ParseTuple(args, "O!n", &PyList_Type, &pairs, &slots))
        return NULL;
    if (slots < 0 || PyList_GET_SIZE(pairs) > MOST_PARTS)
        Py_RETURN_NONE;
    PyObject *sums = PyBytes_FromStringAndSize(NULL, slots * CELLS * (Py_ssize_t)sizeof(uint32_t));
    if (sums == NULL)
        return NULL;
    for (; count < PyList_GET_SIZE(pairs); count++)
        if (get_buffers(PyList_GET_ITEM(pairs, count), &parts[count]) < 0) {
            release(parts, count);
            Py_DECREF(sums);
            return NULL;
        }
    int plain = 1;
    uint32_t *lanes = (uint32_t *)PyBytes_AS_STRING(sums);
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t slot = 0; plain && slot < slots; slot++)
        plain = add_slot(parts, count, slot, lanes + slot * CELLS);
    Py_END_ALLOW_THREADS
    release(parts, count);
    if (!plain)
        Py_SETREF(sums, Py_NewRef(Py_None));
    return sums;
}

/* lanes.add_words_plainly, of one number. */
static void add_real(char *sum, const char *from) {
    double kept[2], amount;
    memcpy(kept, sum, sizeof kept);
    memcpy(&amount, from, sizeof amount);
    double together = kept[0] + amount, added = together - kept[0];
    double lost = (kept[0] - (together - added)) + (amount - added);
    kept[0] = together;
    if (isfinite(lost))
        kept[1] += lost;
    memcpy(sum, kept, sizeof kept);
}

static void add_whole(char *sum, const char *from) {
    uint64_t kept, amount;
    memcpy(&kept, sum, sizeof kept);
    memcpy(&amount, from, sizeof amount);
    kept += amount;
    memcpy(sum, &kept, sizeof kept);
}

/* To `sums`, in `words` of eight bytes each, adds the numbers in `data` at the places in `pairs`. */
static PyObject *add_pairs(PyObject *args, Py_ssize_t words, void (*add)(char *sum, const char *from)) {
    Py_buffer sums, data, pairs;
    Py_ssize_t width;
    if (!PyArg_ParseTuple(args, "w*y*y*n", &sums, &data, &pairs, &width))
        return NULL;
    Py_ssize_t count = pairs.len / (2 * (Py_ssize_t)sizeof(int64_t)), size = 8 * width, done = 0;
    Py_ssize_t kept = words * size;
    const int64_t *pair = pairs.buf;
    for (; done < count; done++, pair += 2) {
        if (pair[0] < 0 || pair[1] < 0 || (pair[0] + 1) * kept > sums.len || pair[1] > data.len - size)
            break;
        char *sum = (char *)sums.buf + pair[0] * kept;
        const char *from = (const char *)data.buf + pair[1];
        for (Py_ssize_t at = 0; at < size; at += 8)
            add(sum + words * at, from + at);
    }
    PyBuffer_Release(&sums);
    PyBuffer_Release(&data);
    PyBuffer_Release(&pairs);
    if (done < count)
        return PyErr_Format(PyExc_IndexError, "pair %zd is out of bounds", done);
    Py_RETURN_NONE;
}

static PyObject *add_words(PyObject *module, PyObject *args) { return add_pairs(args, 2, add_real); }

static PyObject *add_buckets(PyObject *module, PyObject *args) { return add_pairs(args, 1, add_whole); }

/* The counts of one distribution, of what was added up to get it. */
typedef struct {
    int64_t cells[MOST_BLOCKS][CELLS];
    int64_t counts[MOST_BLOCKS]; /* of a whole block */
    char seen[MOST_BLOCKS];
} Cells;

/* Adds what `Distribution.lanes` returns: bytes of counts, and where each block is in them. Returns 1, 0 where that is not plain, or -1. */
static int add_lanes(Cells *cells, PyObject *lanes, int sign) {
    if (!PyTuple_CheckExact(lanes) || PyTuple_GET_SIZE(lanes) != 2)
        return 0;
    PyObject *bytes = PyTuple_GET_ITEM(lanes, 0), *blocks = PyTuple_GET_ITEM(lanes, 1), *key, *value;
    if (!PyBytes_CheckExact(bytes) || !PyDict_CheckExact(blocks))
        return 0;
    const uint32_t *counts = (const uint32_t *)PyBytes_AS_STRING(bytes);
    Py_ssize_t position = 0, size = PyBytes_GET_SIZE(bytes) / (Py_ssize_t)sizeof(uint32_t);
    while (PyDict_Next(blocks, &position, &key, &value)) {
        Py_ssize_t block = PyLong_AsSsize_t(key), first = PyLong_AsSsize_t(value);
        if ((block == -1 || first == -1) && PyErr_Occurred())
            return -1;
        if (block < 0 || block >= MOST_BLOCKS || first < 0 || first > size - CELLS)
            return 0;
        int64_t *sums = cells->cells[block];
        if (!cells->seen[block]) {
            cells->seen[block] = 1;
            memset(sums, 0, sizeof cells->cells[block]);
        }
        for (int cell = 0; cell < CELLS; cell++)
            sums[cell] += sign * (int64_t)counts[first + cell];
    }
    return 1;
}

static int add_all(Cells *cells, PyObject *all, int sign) {
    int plain = 1;
    for (Py_ssize_t number = 0; plain > 0 && number < PyList_GET_SIZE(all); number++)
        plain = add_lanes(cells, PyList_GET_ITEM(all, number), sign);
    return plain;
}

/* Counts blocks; returns the sum of all, -1 where one is negative. */
static int64_t count_all(Cells *cells) {
    int64_t total = 0;
    for (int block = 0; block < MOST_BLOCKS; block++) {
        int64_t count = 0, signs = 0;
        for (int cell = 0; cells->seen[block] && cell < CELLS; cell++) {
            count += cells->cells[block][cell];
            signs |= cells->cells[block][cell];
        }
        if (signs < 0)
            return -1;
        cells->counts[block] = count;
        total += count;
    }
    return total;
}

/* The cell of the observation of this rank, and in `upto` how many there are up to and in it. */
static int cell_of(const Cells *cells, int64_t rank, int64_t *upto) {
    int64_t running = 0;
    int block = 0, cell = 0;
    while (running + cells->counts[block] <= rank)
        running += cells->counts[block++];
    while ((running += cells->cells[block][cell]) <= rank)
        cell++;
    *upto = running;
    return block * CELLS + cell;
}

/* Buckets.midpoint */
static double midpoint(const double *bounds, Py_ssize_t size, Py_ssize_t cell) {
    if (cell == 0)
        return 0.0;
    if (cell >= size)
        return bounds[size - 1];
    double lower = bounds[cell - 1], upper = bounds[cell];
    return lower != 0.0 ? 2 * lower * upper / (lower + upper) : upper;
}

/* Buckets.quantiles */
static double quantile(const Cells *cells, int64_t total, double q, const double *bounds, Py_ssize_t size) {
    double rank = q * (double)(total - 1);
    int64_t below = (int64_t)rank, upto, ignored;
    double value = midpoint(bounds, size, cell_of(cells, below, &upto));
    if (below + 1 < total && upto == below + 1)
        value += (midpoint(bounds, size, cell_of(cells, below + 1, &ignored)) - value) * (rank - (double)below);
    return value;
}

static PyObject *quantiles_of(const Cells *cells, int64_t total, PyObject *qs, const Py_buffer *edges) {
    PyObject *values = PyList_New(PyTuple_GET_SIZE(qs));
    for (Py_ssize_t number = 0; values && number < PyTuple_GET_SIZE(qs); number++) {
        double q = PyFloat_AsDouble(PyTuple_GET_ITEM(qs, number));
        PyObject *value = NULL;
        if (q >= 0.0 && q <= 1.0)
            value = PyFloat_FromDouble(total ? quantile(cells, total, q, edges->buf, edges->len / 8) : Py_NAN);
        else if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "a quantile is from 0 to 1");
        if (value)
            PyList_SET_ITEM(values, number, value);
        else
            Py_CLEAR(values);
    }
    return values;
}

/* Distribution.quantiles, of all lanes of `more` without those of `less`. */
static PyObject *quantiles(PyObject *module, PyObject *args) {
    PyObject *more, *less, *qs;
    Py_buffer edges;
    if (!PyArg_ParseTuple(args, "O!O!O!y*", &PyList_Type, &more, &PyList_Type, &less, &PyTuple_Type, &qs, &edges))
        return NULL;
    Cells cells;
    memset(cells.seen, 0, sizeof cells.seen);
    int plain = add_all(&cells, more, 1);
    plain = plain > 0 ? add_all(&cells, less, -1) : plain;
    int64_t total = plain > 0 ? count_all(&cells) : -1;
    PyObject *values = NULL;
    if (plain >= 0)
        values = total < 0 || edges.len < 8 ? Py_NewRef(Py_None) : quantiles_of(&cells, total, qs, &edges);
    PyBuffer_Release(&edges);
    return values;
}

static int add_explicit(int64_t *counts, Py_ssize_t width, PyObject *all, int sign) {
    for (Py_ssize_t number = 0; number < PyList_GET_SIZE(all); number++) {
        PyObject *explicit = PyList_GET_ITEM(all, number);
        if (!PyBytes_CheckExact(explicit) || PyBytes_GET_SIZE(explicit) != 8 * width)
            return 0;
        const int64_t *from = (const int64_t *)PyBytes_AS_STRING(explicit);
        for (Py_ssize_t bucket = 0; bucket < width; bucket++) {
            if (from[bucket] < 0 || from[bucket] > (int64_t)1 << 50)
                return 0;
            counts[bucket] += sign * from[bucket];
        }
    }
    return 1;
}

/* Distribution.cumulative, of explicit buckets of 64 bits each, of all in `more` without those in `less`. */
static PyObject *cumulative(PyObject *module, PyObject *args) {
    PyObject *more, *less;
    Py_ssize_t width;
    int64_t counts[MOST_BUCKETS] = {0}, running = 0;
    if (!PyArg_ParseTuple(args, "O!O!n", &PyList_Type, &more, &PyList_Type, &less, &width))
        return NULL;
    if (width > MOST_BUCKETS || PyList_GET_SIZE(more) + PyList_GET_SIZE(less) > 4096 ||
        !add_explicit(counts, width, more, 1) || !add_explicit(counts, width, less, -1))
        Py_RETURN_NONE;
    for (Py_ssize_t bucket = 0; bucket < width; bucket++)
        if (counts[bucket] < 0)
            Py_RETURN_NONE;
    PyObject *found = PyTuple_New(width);
    for (Py_ssize_t bucket = 0; found && bucket < width; bucket++) {
        PyObject *count = PyLong_FromLongLong(running += counts[bucket]);
        if (count)
            PyTuple_SET_ITEM(found, bucket, count);
        else
            Py_CLEAR(found);
    }
    return found;
}

/* brief._heads: the first `size` bytes of each slot of a file, one after the other; fewer where the file ends. */
static PyObject *heads(PyObject *module, PyObject *args) {
    int descriptor;
    Py_ssize_t first, stop, step, size;
    if (!PyArg_ParseTuple(args, "innnn", &descriptor, &first, &stop, &step, &size))
        return NULL;
    Py_ssize_t slots = step > 0 && stop > first ? (stop - first + step - 1) / step : 0, got = size, length = 0;
    PyObject *found = PyBytes_FromStringAndSize(NULL, slots * size);
    if (found == NULL)
        return NULL;
    char *to = PyBytes_AS_STRING(found);
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t slot = 0; got == size && slot < slots; slot++, length += size)
        got = pread(descriptor, to + length, (size_t)size, first + slot * step);
    Py_END_ALLOW_THREADS
    if (got < 0) {
        Py_DECREF(found);
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    if (got < size)
        _PyBytes_Resize(&found, length - size + got);
    return found;
}

static PyMethodDef functions[] = {
    {"sum_blocks", sum_blocks, METH_VARARGS, NULL}, {"add_words", add_words, METH_VARARGS, NULL},
    {"add_buckets", add_buckets, METH_VARARGS, NULL}, {"quantiles", quantiles, METH_VARARGS, NULL},
    {"cumulative", cumulative, METH_VARARGS, NULL}, {"heads", heads, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "stethoscope._hot_lanes", .m_size = 0, .m_methods = functions};

PyMODINIT_FUNC PyInit__hot_lanes(void) {
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL && PyModule_AddStringConstant(module, "SOURCE", SOURCE) < 0)
        Py_CLEAR(module);
    return module;
}
