/* What watches a worker's Python, compiled: `instruments/runtime/collector.py` and `alarm.py` have the same in Python.

`Runs` is what the garbage collector calls before and after each of its runs. A function in Python would be a place where CPython runs the handlers of signals that have come, and what one raises there, such as the
KeyboardInterrupt of Ctrl-C, would be printed and lost: nothing leaves a callback of the collector. Compiled code is no such
place. So a handler runs after it, in the code of the app, where it would have run without us.

`Alarm` is a clock that rings in a thread, and that another thread can set anew without waking that one (timerfd_create(2)).
*/

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <time.h>
#ifdef __linux__
#include <errno.h>
#include <stdint.h>
#include <structmember.h>
#include <sys/timerfd.h>
#include <unistd.h>
#endif

#ifndef SOURCE
#define SOURCE "unknown"
#endif

typedef struct {
    PyObject_HEAD
    PyObject *runs;
    Py_ssize_t most;
    double began;
} Runs;

static double now(void) { /* time.perf_counter reads this clock on Linux; `Alarm` is only there, and `Runs` only subtracts */
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static PyObject *runs_new(PyTypeObject *type, PyObject *args, PyObject *options) {
    Py_ssize_t most;
    if (!PyArg_ParseTuple(args, "n", &most))
        return NULL;
    Runs *self = (Runs *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->most = most;
    self->runs = PyList_New(0);
    if (self->runs == NULL)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void runs_dealloc(Runs *self) {
    Py_CLEAR(self->runs);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* Runs.__call__ */
static PyObject *runs_call(Runs *self, PyObject *args, PyObject *options) {
    const char *phase;
    PyObject *info;
    if (!PyArg_ParseTuple(args, "sO!", &phase, &PyDict_Type, &info))
        return NULL;
    if (strcmp(phase, "start") == 0)
        self->began = now();
    else if (self->began != 0.0 && PyList_GET_SIZE(self->runs) < self->most) {
        PyObject *generation = PyDict_GetItemString(info, "generation");
        PyObject *collected = PyDict_GetItemString(info, "collected");
        PyObject *uncollectable = PyDict_GetItemString(info, "uncollectable");
        if (generation && collected && uncollectable) {
            PyObject *run = Py_BuildValue("(OdOO)", generation, now() - self->began, collected, uncollectable);
            int failed = run == NULL || PyList_Append(self->runs, run) < 0;
            Py_XDECREF(run);
            if (failed)
                return NULL;
        }
    }
    Py_RETURN_NONE;
}

/* Runs.take */
static PyObject *runs_take(Runs *self, PyObject *none) {
    PyObject *fresh = PyList_New(0), *taken = self->runs;
    if (fresh == NULL)
        return NULL;
    self->runs = fresh;
    return taken;
}

static PyMethodDef runs_methods[] = {{"take", (PyCFunction)runs_take, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};

static PyTypeObject RunsType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "stethoscope._hot_runtime.Runs",
    .tp_basicsize = sizeof(Runs),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = runs_new,
    .tp_dealloc = (destructor)runs_dealloc,
    .tp_call = (ternaryfunc)runs_call,
    .tp_methods = runs_methods,
};

#ifdef __linux__
typedef struct {
    PyObject_HEAD
    int descriptor;
    double since, due;
} Alarm;

static PyObject *alarm_new(PyTypeObject *type, PyObject *args, PyObject *options) {
    Alarm *self = (Alarm *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->since = self->due = now();
    self->descriptor = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (self->descriptor < 0) {
        Py_DECREF(self);
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return (PyObject *)self;
}

/* Closes without setting: in a forked child it is the parent's clock, too. */
static void alarm_dealloc(Alarm *self) {
    if (self->descriptor >= 0)
        close(self->descriptor);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* PlainAlarm.set */
static PyObject *alarm_set(Alarm *self, PyObject *argument) {
    double seconds = PyFloat_AsDouble(argument);
    if (seconds == -1.0 && PyErr_Occurred())
        return NULL;
    struct itimerspec wanted = {.it_value = {.tv_sec = (time_t)seconds}};
    wanted.it_value.tv_nsec = 1 + (long)((seconds - (double)wanted.it_value.tv_sec) * 999999998.0); /* zero would be never */
    self->since = now();
    self->due = self->since + seconds;
    if (timerfd_settime(self->descriptor, 0, &wanted, NULL) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

/* PlainAlarm.wait */
static PyObject *alarm_wait(Alarm *self, PyObject *none) {
    uint64_t times;
    ssize_t got;
    int descriptor = self->descriptor;
    Py_BEGIN_ALLOW_THREADS
    do
        got = read(descriptor, &times, sizeof times);
    while (got < 0 && errno == EINTR); /* handlers run in the main thread alone */
    Py_END_ALLOW_THREADS
    if (got < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

static PyMethodDef alarm_methods[] = {{"set", (PyCFunction)alarm_set, METH_O, NULL},
                                      {"wait", (PyCFunction)alarm_wait, METH_NOARGS, NULL},
                                      {NULL, NULL, 0, NULL}};

static PyMemberDef alarm_members[] = {{"since", T_DOUBLE, offsetof(Alarm, since), READONLY, NULL},
                                      {"due", T_DOUBLE, offsetof(Alarm, due), READONLY, NULL},
                                      {NULL, 0, 0, 0, NULL}};

static PyTypeObject AlarmType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "stethoscope._hot_runtime.Alarm",
    .tp_basicsize = sizeof(Alarm),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = alarm_new,
    .tp_dealloc = (destructor)alarm_dealloc,
    .tp_methods = alarm_methods,
    .tp_members = alarm_members,
};
#endif

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "stethoscope._hot_runtime", .m_size = -1};

PyMODINIT_FUNC PyInit__hot_runtime(void) {
    if (PyType_Ready(&RunsType) < 0)
        return NULL;
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL || PyModule_AddType(module, &RunsType) < 0 ||
        PyModule_AddStringConstant(module, "SOURCE", SOURCE) < 0)
        Py_CLEAR(module);
#ifdef __linux__
    if (module != NULL && PyModule_AddType(module, &AlarmType) < 0)
        Py_CLEAR(module);
#endif
    return module;
}
