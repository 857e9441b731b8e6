/* What runs around every query of a request, compiled.

As in `_hot.c`, the Python code is the whole story: `instruments/database/execution.py` and `database.py` say what is done, and
everything here does the same in the plain case, and calls the Python function, before anything was changed, in every
other one.

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
#define MOST_RUNS 1024        /* database._MOST_RUNS */

static PyObject *one, *perf_counter, *text_rowcount, *text_clock, *text_carrier;

/* Fields: attributes of Python objects that are slots or members of a struct. They are read and set where they lie,
because between two queries neither types nor descriptors stay in the processor's caches. Anything else is not plain. */

typedef struct {
    const char *name;
    PyTypeObject *type; /* whose field it was last time */
    Py_ssize_t offset;
    int kind;
} Field;

#define FIELDS(F)                                                                                                       \
    F(reads) F(offset) F(over) F(trace) F(carried) F(quiet_since) F(runs) F(writes) F(parameters) F(worst) F(ended)      \
    F(seconds) F(identical) F(count) F(apart)
#define FIELD(field) static Field field_##field = {.name = #field};
FIELDS(FIELD)
static Field field_last_writes = {.name = "writes"}; /* of `Uses`: a field is quick for one type at a time */

static int learn(Field *field, PyTypeObject *type) {
    PyObject *found = PyObject_GetAttrString((PyObject *)type, field->name);
    PyMemberDef *member = found && Py_IS_TYPE(found, &PyMemberDescr_Type) ? ((PyMemberDescrObject *)found)->d_member : NULL;
    int known = member && (member->type == T_OBJECT || member->type == T_OBJECT_EX || member->type == T_BOOL);
    if (known) {
        field->offset = member->offset;
        field->kind = member->type;
        Py_INCREF(type);
        Py_XSETREF(field->type, type);
    }
    Py_XDECREF(found);
    return known;
}

/* What is in it, borrowed; NULL where there is none, perhaps with an error. */
static PyObject *get(PyObject *self, Field *field) {
    if (Py_TYPE(self) != field->type && !learn(field, Py_TYPE(self)))
        return NULL;
    char *place = (char *)self + field->offset;
    return field->kind == T_BOOL ? (*place ? Py_True : Py_False) : *(PyObject **)place;
}

/* Takes over the reference to `value`. */
static int set(PyObject *self, Field *field, PyObject *value) {
    int known = value != NULL && (Py_TYPE(self) == field->type || learn(field, Py_TYPE(self)));
    if (!known || field->kind == T_BOOL) {
        Py_XDECREF(value);
        return 0;
    }
    PyObject **place = (PyObject **)((char *)self + field->offset);
    PyObject *before = *place;
    *place = value;
    Py_XDECREF(before);
    return 1;
}

static int get_number(PyObject *self, Field *field, double *number) {
    PyObject *value = get(self, field);
    if (value == NULL || !PyFloat_CheckExact(value))
        return 0;
    *number = PyFloat_AS_DOUBLE(value);
    return 1;
}

static int get_whole(PyObject *self, Field *field, long long *number) {
    PyObject *value = get(self, field);
    if (value == NULL || !PyLong_CheckExact(value))
        return 0;
    *number = PyLong_AsLongLong(value);
    return !(*number == -1 && PyErr_Occurred());
}

/* execution.watched */

typedef struct {
    PyObject_HEAD
    PyObject *plain, *execute, *answered, *failed, *known, *current, *globals;
    vectorcallfunc call;
    double looked_at_from;
    char many;
} Watched;

static double now(void) { /* time.perf_counter, which reads this clock wherever this module is used: see hot.ONE_CLOCK */
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
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

/* Whether `Database._look_at` has something to do for the so many-th run of a statement in a request: database._LOOKED_AT. */
static int is_looked_at(Py_ssize_t number) {
    switch (number) {
    case 1: case 2: case 4: case 16: case 64: case 256: return 1;
    default: return number >= MOST_RUNS;
    }
}

/* The list where an operation of a request is put down, borrowed. NULL when that is not all there is to do. */
static PyObject *plain_runs(PyObject *request, PyObject *statement, double started, PyObject **work) {
    if (request == NULL || request == Py_None || get(request, &field_over) != Py_False || get(request, &field_trace) != Py_None ||
        get(statement, &field_reads) != Py_True || get(statement, &field_offset) != Py_None)
        return NULL;
    PyObject *found = get(request, &field_carried);
    double since;
    if (found == NULL || !PyDict_CheckExact(found) || (*work = PyDict_GetItemWithError(found, text_carrier)) == NULL ||
        !get_number(*work, &field_quiet_since, &since) || started - since > HELD_FROM)
        return NULL;
    PyObject *lists = get(*work, &field_runs);
    PyObject *list = lists && PyDict_CheckExact(lists) ? PyDict_GetItemWithError(lists, statement) : NULL;
    return list && PyList_CheckExact(list) && !is_looked_at(PyList_GET_SIZE(list) + 1) ? list : NULL;
}

/* Puts it down, after the app's own classes have had their say about the hash of parameters. */
static int put_down(PyObject *work, PyObject *list, PyObject *key, PyObject *rows, double started, double ended) {
    PyObject *start = PyFloat_FromDouble(started), *end = PyFloat_FromDouble(ended);
    PyObject *written = Py_XNewRef(get(work, &field_writes));
    PyObject *run = start && end && written ? PyTuple_Pack(5, key, start, end, rows, written) : NULL;
    Py_XDECREF(start);
    Py_XDECREF(written);
    int done = run != NULL && PyList_Append(list, run) == 0;
    Py_XDECREF(run);
    if (!done)
        Py_XDECREF(end);
    else if (!set(work, &field_quiet_since, end))
        PyErr_Clear(); /* it is there, and was read before */
    return done;
}

/* The plain case of `answered`. Returns 1 where it was one, 0 where it was not: then nothing was changed. -1 for an interrupt,
   or whatever else is no Exception, that came while a hash was asked for: it comes only once. */
static int add_run(Watched *self, PyObject *cursor, PyObject *sql, PyObject *given, double started, double ended) {
    if (self->many || ended - started > self->looked_at_from || !PyUnicode_CheckExact(sql))
        return 0;
    PyObject *rows = PyObject_GetAttr(cursor, text_rowcount), *key = rows ? key_of(given) : NULL;
    PyObject *request = NULL, *work = NULL;
    int done = 0;
    if (key != NULL && PyLong_CheckExact(rows) && PyContextVar_Get(self->current, NULL, &request) == 0) {
        PyObject *statement = PyDict_GetItemWithError(self->known, sql);
        PyObject *list = statement ? plain_runs(request, statement, started, &work) : NULL;
        if (list != NULL) { /* memory that is asked for may be found by collecting garbage, which runs anything */
            Py_INCREF(work);
            Py_INCREF(list);
            done = put_down(work, list, key, rows, started, ended);
            Py_DECREF(work);
            Py_DECREF(list);
        }
    }
    Py_XDECREF(rows);
    Py_XDECREF(key);
    Py_XDECREF(request);
    if (done || !PyErr_Occurred())
        return done;
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return -1;
    PyErr_Clear();
    return 0;
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
    Py_ssize_t number = PyVectorcall_NARGS(flagged);
    if (self->globals == NULL) {
        PyErr_SetString(PyExc_ReferenceError, "the engine whose statements this executes has been collected as garbage");
        return NULL;
    }
    if (keywords != NULL || number < 3 || number > 4 ||
        PyDict_GetItemWithError(self->globals, text_clock) != perf_counter)
        return PyObject_Vectorcall(self->plain, arguments, flagged, keywords);
    PyObject *context = number == 4 ? arguments[3] : Py_None;
    PyObject *given[] = {NULL, arguments[0], arguments[1], arguments[2], context};
    double started = now();
    PyObject *answer = PyObject_Vectorcall(self->execute, given + 1, 4 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    double ended = now();
    if (answer == NULL) {
        tell_failed(self, arguments, context, started, ended);
        return NULL;
    }
    Py_DECREF(answer);
    int done = add_run(self, arguments[0], arguments[1], arguments[2], started, ended);
    if (done)
        return done > 0 ? Py_NewRef(Py_None) : NULL;
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

/* execution.add_up */

typedef struct {
    double worst, ended, seconds;
    long long identical, writes, count, apart;
} Uses;

static int get_uses(PyObject *self, Uses *uses) {
    return get_number(self, &field_worst, &uses->worst) && get_number(self, &field_ended, &uses->ended) &&
           get_number(self, &field_seconds, &uses->seconds) && get_whole(self, &field_identical, &uses->identical) &&
           get_whole(self, &field_last_writes, &uses->writes) && get_whole(self, &field_count, &uses->count) &&
           get_whole(self, &field_apart, &uses->apart);
}

static int set_uses(PyObject *self, const Uses *uses) {
    return set(self, &field_worst, PyFloat_FromDouble(uses->worst)) && set(self, &field_ended, PyFloat_FromDouble(uses->ended)) &&
           set(self, &field_seconds, PyFloat_FromDouble(uses->seconds)) &&
           set(self, &field_identical, PyLong_FromLongLong(uses->identical)) &&
           set(self, &field_last_writes, PyLong_FromLongLong(uses->writes)) &&
           set(self, &field_count, PyLong_FromLongLong(uses->count)) &&
           set(self, &field_apart, PyLong_FromLongLong(uses->apart));
}

/* One more with the parameters of this key. */
static int add_key(PyObject *keys, PyObject *key, double started, double ended, long long writes, Uses *uses) {
    PyObject *before = PyDict_GetItemWithError(keys, key);
    if (before == NULL) {
        Py_ssize_t known = PyDict_GET_SIZE(keys);
        if (PyErr_Occurred() || (known < MOST_PARAMETERS && PyDict_SetItem(keys, key, one) < 0))
            return 0;
        if (known > 0 && known < MOST_PARAMETERS && started - uses->ended >= APART)
            uses->apart++;
    } else if (writes == uses->writes && started - uses->ended < APART) {
        long long times = PyLong_AsLongLong(before) + 1;
        PyObject *more = PyLong_FromLongLong(times);
        int done = more != NULL && PyDict_SetItem(keys, key, more) == 0;
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

static int add_one(PyObject *run, PyObject *keys, PyObject *record, PyObject *record_rows, Uses *uses) {
    if (!PyTuple_CheckExact(run) || PyTuple_GET_SIZE(run) != 5)
        return 0;
    PyObject *key = PyTuple_GET_ITEM(run, 0), *rows = PyTuple_GET_ITEM(run, 3);
    double started = PyFloat_AsDouble(PyTuple_GET_ITEM(run, 1)), ended = PyFloat_AsDouble(PyTuple_GET_ITEM(run, 2));
    long long writes = PyLong_AsLongLong(PyTuple_GET_ITEM(run, 4));
    if (PyErr_Occurred())
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
    return key == Py_None || add_key(keys, key, started, ended, writes, uses);
}

/* add_up(uses, runs, record, record_rows) */
static PyObject *add_up(PyObject *Py_UNUSED(module), PyObject *arguments) {
    PyObject *target, *list, *record, *record_rows;
    Uses uses;
    if (!PyArg_ParseTuple(arguments, "OO!OO", &target, &PyList_Type, &list, &record, &record_rows))
        return NULL;
    PyObject *keys = get(target, &field_parameters);
    if (keys == NULL || !PyDict_CheckExact(keys) || !get_uses(target, &uses))
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "%R is not what a request did with a query", target);
    double before = uses.seconds;
    int done = 1;
    Py_INCREF(keys);
    for (Py_ssize_t at = 0; done && at < PyList_GET_SIZE(list); at++) {
        PyObject *run = Py_NewRef(PyList_GET_ITEM(list, at));
        done = add_one(run, keys, record, record_rows, &uses);
        Py_DECREF(run);
    }
    Py_DECREF(keys);
    if (done && set_uses(target, &uses))
        return PyFloat_FromDouble(uses.seconds - before);
    return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "%R are not runs of a statement", list);
}

static PyMethodDef functions[] = {{"add_up", add_up, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};

static int fill(PyObject *module) {
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_ImportError, "what it keeps is of one interpreter; others run the Python code");
        return -1;
    }
    PyObject *time = PyImport_ImportModule("time");
    perf_counter = time ? PyObject_GetAttrString(time, "perf_counter") : NULL;
    Py_XDECREF(time);
    one = PyLong_FromLong(1);
    text_rowcount = PyUnicode_InternFromString("rowcount");
    text_clock = PyUnicode_InternFromString("clock");
    text_carrier = PyUnicode_InternFromString("database"); /* work.CARRIED */
    if (!perf_counter || !one || !text_rowcount || !text_clock || !text_carrier || PyModule_AddType(module, &WatchedType) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "SOURCE", SOURCE);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, fill}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "stethoscope._hot_sql", .m_methods = functions, .m_slots = slots};

PyMODINIT_FUNC PyInit__hot_sql(void) { return PyModuleDef_Init(&definition); }
