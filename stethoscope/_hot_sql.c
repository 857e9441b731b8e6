/* What runs around every query of a request, compiled.

As in `_hot.c`, the Python code is the whole story: `instruments/database/execution.py` and `database.py` say what is done, and
everything here does the same in the plain case, and calls the Python function, before anything was changed, in every
other one. It has no struct in common with anything: it reads and sets attributes by name.

Rests on the interpreter lock for nothing that Python code would not: it calls no more and gives up no less.

`Watched` is called with a driver's call inside of it, which may switch greenlets. So it keeps nothing in C
variables of the module while that runs.
*/

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <structmember.h>
#include <time.h>

#ifndef SOURCE
#define SOURCE "unknown"
#endif

#define HELD_FROM 0.1         /* database.HELD_FROM */
#define APART 0.05            /* execution.APART */
#define MOST_PARAMETERS 10000 /* execution.MOST_PARAMETERS */

#define TEXTS(T)                                                                                                        \
    T(reads) T(offset) T(rowcount) T(over) T(carried) T(trace) T(database) T(quiet_since) T(runs) T(writes) T(clock)    \
    T(parameters) T(worst) T(ended) T(identical) T(seconds) T(count)

#define DECLARE(name) static PyObject *text_##name;
TEXTS(DECLARE)
static PyObject *one, *perf_counter;

/* execution.watched */

typedef struct {
    PyObject_HEAD
    PyObject *plain, *execute, *answered, *failed, *known, *current, *globals;
    vectorcallfunc call;
    double looked_at_from;
    char many;
} Watched;

/* An operation that has succeeded, with what `add_run` looks up: borrowed from `Watched.known`, the rest owned. */
typedef struct {
    PyObject *request, *work, *runs, *rows, *key;
} Found;

static double now(void) { /* time.perf_counter, which reads this clock on Linux */
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Whether an attribute is this very object. An attribute that is missing is not plain. */
static int is(PyObject *self, PyObject *name, PyObject *wanted) {
    PyObject *value = PyObject_GetAttr(self, name);
    Py_XDECREF(value);
    return value == wanted;
}

static int get_number(PyObject *self, PyObject *name, double *number) {
    PyObject *value = PyObject_GetAttr(self, name);
    if (value == NULL)
        return 0;
    *number = PyFloat_AsDouble(value);
    Py_DECREF(value);
    return !(*number == -1.0 && PyErr_Occurred());
}

static int set_number(PyObject *self, PyObject *name, double number) {
    PyObject *value = PyFloat_FromDouble(number);
    int done = value != NULL && PyObject_SetAttr(self, name, value) == 0;
    Py_XDECREF(value);
    return done;
}

static int get_whole(PyObject *self, PyObject *name, long long *number) {
    PyObject *value = PyObject_GetAttr(self, name);
    if (value == NULL)
        return 0;
    *number = PyLong_AsLongLong(value);
    Py_DECREF(value);
    return !(*number == -1 && PyErr_Occurred());
}

static int set_whole(PyObject *self, PyObject *name, long long number) {
    PyObject *value = PyLong_FromLongLong(number);
    int done = value != NULL && PyObject_SetAttr(self, name, value) == 0;
    Py_XDECREF(value);
    return done;
}

/* execution.key_of */
static PyObject *key_of(PyObject *parameters) {
    Py_hash_t hash = -1;
    if (PyTuple_CheckExact(parameters))
        hash = PyObject_Hash(parameters);
    else if (PyDict_CheckExact(parameters)) {
        PyObject *values = PyDict_Values(parameters);
        PyObject *tuple = values ? PyList_AsTuple(values) : NULL;
        Py_XDECREF(values);
        hash = tuple ? PyObject_Hash(tuple) : -1;
        Py_XDECREF(tuple);
    }
    return hash == -1 ? NULL : PyLong_FromSsize_t(hash);
}

/* Finds what a plain operation needs, and changes nothing. 0 when it is not plain, perhaps with an error that nobody needs. */
static int find(Watched *self, PyObject *statement, PyObject *cursor, PyObject *parameters, double started, Found *found) {
    if (!is(statement, text_reads, Py_True) || !is(statement, text_offset, Py_None))
        return 0;
    if (PyContextVar_Get(self->current, NULL, &found->request) < 0 || found->request == NULL ||
        !is(found->request, text_over, Py_False) || !is(found->request, text_trace, Py_None))
        return 0;
    PyObject *carried = PyObject_GetAttr(found->request, text_carried);
    if (carried != NULL && PyDict_CheckExact(carried))
        found->work = Py_XNewRef(PyDict_GetItemWithError(carried, text_database));
    Py_XDECREF(carried);
    double quiet_since;
    if (found->work == NULL || !get_number(found->work, text_quiet_since, &quiet_since) ||
        started - quiet_since > HELD_FROM)
        return 0;
    PyObject *runs = PyObject_GetAttr(found->work, text_runs);
    if (runs != NULL && PyDict_CheckExact(runs))
        found->runs = Py_XNewRef(PyDict_GetItemWithError(runs, statement));
    Py_XDECREF(runs);
    if (found->runs == NULL || !PyList_CheckExact(found->runs))
        return 0;
    Py_ssize_t count = PyList_GET_SIZE(found->runs) + 1;
    if (!(count & (count - 1)) || (found->rows = PyObject_GetAttr(cursor, text_rowcount)) == NULL ||
        !PyLong_CheckExact(found->rows))
        return 0;
    return (found->key = key_of(parameters)) != NULL;
}

/* The plain case of `answered`, for what only reads. Whether it was one. */
static int add_run(Watched *self, PyObject *cursor, PyObject *sql, PyObject *parameters, double started, double ended) {
    PyObject *statement = NULL;
    if (!self->many && ended - started <= self->looked_at_from && PyUnicode_CheckExact(sql))
        statement = Py_XNewRef(PyDict_GetItemWithError(self->known, sql));
    Found found = {NULL, NULL, NULL, NULL, NULL};
    PyObject *start = NULL, *end = NULL, *writes = NULL, *run = NULL;
    int done = statement != NULL && find(self, statement, cursor, parameters, started, &found) &&
               (start = PyFloat_FromDouble(started)) != NULL && (end = PyFloat_FromDouble(ended)) != NULL &&
               (writes = PyObject_GetAttr(found.work, text_writes)) != NULL &&
               (run = PyTuple_Pack(5, found.key, start, end, found.rows, writes)) != NULL &&
               PyObject_SetAttr(found.work, text_quiet_since, end) == 0 && PyList_Append(found.runs, run) == 0;
    Py_XDECREF(statement);
    for (PyObject **owned = &found.request; owned <= &found.key; owned++)
        Py_XDECREF(*owned);
    Py_XDECREF(start);
    Py_XDECREF(end);
    Py_XDECREF(writes);
    Py_XDECREF(run);
    if (!done)
        PyErr_Clear();
    return done;
}

/* The driver has raised: `failed` is told, and it goes on as if it had not been. */
static void tell_failed(Watched *self, PyObject *const *arguments, PyObject *context, double started, double ended) {
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(error, traceback);
    PyObject *done = PyObject_CallFunction(self->failed, "OOOddO", arguments[0], arguments[1], context, started, ended, error);
    if (done == NULL) { /* as an exception handler would that raises */
        Py_XDECREF(type);
        Py_XDECREF(error);
        Py_XDECREF(traceback);
        return;
    }
    Py_DECREF(done);
    PyErr_Restore(type, error, traceback);
}

static PyObject *watched_call(PyObject *callable, PyObject *const *arguments, size_t flagged, PyObject *keywords) {
    Watched *self = (Watched *)callable;
    Py_ssize_t count = PyVectorcall_NARGS(flagged);
    if (keywords != NULL || count < 3 || count > 4 ||
        PyDict_GetItemWithError(self->globals, text_clock) != perf_counter)
        return PyObject_Vectorcall(self->plain, arguments, flagged, keywords);
    PyObject *context = count == 4 ? arguments[3] : Py_None;
    PyObject *given[] = {NULL, arguments[0], arguments[1], arguments[2], context};
    double started = now();
    PyObject *answer = PyObject_Vectorcall(self->execute, given + 1, 4 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    double ended = now();
    if (answer == NULL) {
        tell_failed(self, arguments, context, started, ended);
        return NULL;
    }
    Py_DECREF(answer);
    if (add_run(self, arguments[0], arguments[1], arguments[2], started, ended))
        Py_RETURN_NONE;
    return PyObject_CallFunction(self->answered, "OOOOdd", arguments[0], arguments[1], arguments[2], context, started, ended);
}

static int watched_traverse(PyObject *object, visitproc visit, void *arg) {
    Watched *self = (Watched *)object;
    for (PyObject **field = &self->plain; field <= &self->globals; field++)
        Py_VISIT(*field);
    return 0;
}

static int watched_clear(PyObject *object) {
    Watched *self = (Watched *)object;
    for (PyObject **field = &self->plain; field <= &self->globals; field++)
        Py_CLEAR(*field);
    return 0;
}

static void watched_dealloc(PyObject *self) {
    PyObject_GC_UnTrack(self);
    watched_clear(self);
    Py_TYPE(self)->tp_free(self);
}

/* Watched(plain, execute, answered, failed, known, current, globals, looked_at_from, many) */
static PyObject *watched_new(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(keywords)) {
    PyObject *given[7];
    double looked_at_from;
    int many;
    if (!PyArg_ParseTuple(arguments, "OOOOO!OO!dp", &given[0], &given[1], &given[2], &given[3], &PyDict_Type, &given[4],
                          &given[5], &PyDict_Type, &given[6], &looked_at_from, &many))
        return NULL;
    if (!PyContextVar_CheckExact(given[5])) {
        PyErr_Format(PyExc_TypeError, "current is a ContextVar, got %R", given[5]);
        return NULL;
    }
    Watched *self = (Watched *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    for (int at = 0; at < 7; at++)
        (&self->plain)[at] = Py_NewRef(given[at]);
    self->call = watched_call;
    self->looked_at_from = looked_at_from;
    self->many = (char)many;
    return (PyObject *)self;
}

static PyMemberDef watched_members[] = {{"__wrapped__", T_OBJECT, offsetof(Watched, execute), READONLY, NULL},
                                        {NULL, 0, 0, 0, NULL}};

static PyTypeObject WatchedType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "stethoscope._hot_sql.Watched",
    .tp_basicsize = sizeof(Watched),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_new = watched_new,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(Watched, call),
    .tp_traverse = watched_traverse,
    .tp_clear = watched_clear,
    .tp_dealloc = watched_dealloc,
    .tp_members = watched_members,
};

/* execution.tally */

typedef struct {
    double worst, ended, seconds;
    long long identical, writes, count;
} Uses;

static int get_uses(PyObject *uses, Uses *so_far) {
    return get_number(uses, text_worst, &so_far->worst) && get_number(uses, text_ended, &so_far->ended) &&
           get_number(uses, text_seconds, &so_far->seconds) && get_whole(uses, text_identical, &so_far->identical) &&
           get_whole(uses, text_writes, &so_far->writes) && get_whole(uses, text_count, &so_far->count);
}

static int set_uses(PyObject *uses, const Uses *so_far) {
    return set_number(uses, text_worst, so_far->worst) && set_number(uses, text_ended, so_far->ended) &&
           set_number(uses, text_seconds, so_far->seconds) && set_whole(uses, text_identical, so_far->identical) &&
           set_whole(uses, text_writes, so_far->writes) && set_whole(uses, text_count, so_far->count);
}

/* One more with the parameters of this key. */
static int add_key(PyObject *parameters, PyObject *key, double started, double ended, long long writes, Uses *uses) {
    PyObject *before = PyDict_GetItemWithError(parameters, key);
    if (before == NULL) {
        if (PyErr_Occurred() ||
            (PyDict_GET_SIZE(parameters) < MOST_PARAMETERS && PyDict_SetItem(parameters, key, one) < 0))
            return 0;
    } else if (writes == uses->writes && started - uses->ended < APART) {
        long long times = PyLong_AsLongLong(before) + 1;
        PyObject *more = PyLong_FromLongLong(times);
        int done = more != NULL && PyDict_SetItem(parameters, key, more) == 0;
        Py_XDECREF(more);
        if (!done)
            return 0;
        if (times > uses->identical)
            uses->identical = times;
    }
    uses->ended = ended;
    uses->writes = writes;
    return 1;
}

static int add_one(PyObject *run, PyObject *parameters, PyObject *record, PyObject *record_rows, Uses *uses) {
    PyObject *key, *rows;
    double started, ended;
    long long writes;
    if (!PyArg_ParseTuple(run, "OddOL", &key, &started, &ended, &rows, &writes))
        return 0;
    PyObject *seconds = PyFloat_FromDouble(ended - started);
    PyObject *done = seconds ? PyObject_CallOneArg(record, seconds) : NULL;
    Py_XDECREF(seconds);
    if (done == NULL)
        return 0;
    Py_DECREF(done);
    uses->seconds += ended - started;
    uses->count++;
    if (ended - started > uses->worst)
        uses->worst = ended - started;
    if (PyLong_AsLongLong(rows) >= 0) {
        if ((done = PyObject_CallOneArg(record_rows, rows)) == NULL)
            return 0;
        Py_DECREF(done);
    } else if (PyErr_Occurred())
        return 0;
    return key == Py_None || add_key(parameters, key, started, ended, writes, uses);
}

/* tally(uses, runs, record, record_rows) */
static PyObject *tally(PyObject *Py_UNUSED(module), PyObject *arguments) {
    PyObject *target, *runs, *record, *record_rows;
    Uses uses;
    if (!PyArg_ParseTuple(arguments, "OO!OO", &target, &PyList_Type, &runs, &record, &record_rows) ||
        !get_uses(target, &uses))
        return NULL;
    PyObject *parameters = PyObject_GetAttr(target, text_parameters);
    if (parameters == NULL || !PyDict_CheckExact(parameters)) {
        Py_XDECREF(parameters);
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "parameters of %R are no dict", target);
    }
    double before = uses.seconds;
    int done = 1;
    for (Py_ssize_t at = 0; done && at < PyList_GET_SIZE(runs); at++) {
        PyObject *run = Py_NewRef(PyList_GET_ITEM(runs, at));
        done = PyTuple_CheckExact(run) ? add_one(run, parameters, record, record_rows, &uses) : 0;
        Py_DECREF(run);
    }
    Py_DECREF(parameters);
    if (!done) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "a run is a tuple");
        return NULL;
    }
    return set_uses(target, &uses) ? PyFloat_FromDouble(uses.seconds - before) : NULL;
}

static PyMethodDef functions[] = {{"tally", tally, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "stethoscope._hot_sql", .m_size = -1, .m_methods = functions};

PyMODINIT_FUNC PyInit__hot_sql(void) {
#define INTERN(name)                                                                                                    \
    if ((text_##name = PyUnicode_InternFromString(#name)) == NULL)                                                      \
        return NULL;
    TEXTS(INTERN)
    PyObject *time = PyImport_ImportModule("time");
    perf_counter = time ? PyObject_GetAttrString(time, "perf_counter") : NULL;
    Py_XDECREF(time);
    one = PyLong_FromLong(1);
    if (perf_counter == NULL || one == NULL || PyType_Ready(&WatchedType) < 0)
        return NULL;
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL || PyModule_AddType(module, &WatchedType) < 0 ||
        PyModule_AddStringConstant(module, "SOURCE", SOURCE) < 0) {
        Py_XDECREF(module);
        return NULL;
    }
    return module;
}
