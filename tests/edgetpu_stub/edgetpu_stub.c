/* A TensorFlow Lite external delegate that takes the place of libedgetpu.so.1 in tests.
 *
 * It claims the operations named "edgetpu-custom-op", as the real library does, and hands their bytes on as they are. So
 * a network of ours behind an operation of that name gives its right answer through this delegate, and only through it.
 *
 * MASKCAM_STUB_FAULT makes it fail as devices do:
 *   no-device   creation fails without a word, as the real library does when nothing is plugged in
 *   bad-option  creation fails with a message when it is given any option
 *   lost        every inference is an error
 *   hang        an inference never ends
 *   crash       an inference ends the process with SIGSEGV
 *   wrong       an inference gives zeros
 * MASKCAM_STUB_AFTER: the last four begin after so many inferences of the process.
 *
 * The structures below are the beginning of those in TensorFlow Lite's public C interface (common.h), which has kept
 * their order from release to release; what newer releases have added at the end is left as zeros.
 *
 * cc -shared -fPIC edgetpu_stub.c -o libedgetpu.so.1
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK = 0, ERROR = 1, ALLOW_DYNAMIC_TENSORS = 1 };

struct context;
struct delegate;

struct ints {
    int size;
    int data[];
};

struct tensor {
    int type;
    void *data;
    struct ints *dims;
    float scale;
    int32_t zero_point;
    int allocation_type;
    size_t bytes;
    const void *allocation;
    const char *name;
    struct delegate *delegate;
    int buffer_handle;
    bool stale, variable;
    int quantization_type;
    void *quantization;
    void *sparsity;
    const struct ints *dims_signature;
};

struct node {
    struct ints *inputs, *outputs, *intermediates, *temporaries;
    void *user_data;
};

struct registration {
    void *(*init)(struct context *, const char *, size_t);
    void (*free)(struct context *, void *);
    int (*prepare)(struct context *, struct node *);
    int (*invoke)(struct context *, struct node *);
    const char *(*profiling_string)(const struct context *, const struct node *);
    int32_t builtin_code;
    const char *custom_name;
    int version;
    void *added_later[16];
};

struct context {
    size_t tensors_size;
    int (*get_execution_plan)(struct context *, struct ints **);
    struct tensor *tensors;
    void *impl;
    void *resize_tensor;
    void (*report_error)(struct context *, const char *, ...);
    void *add_tensors;
    int (*get_node)(struct context *, int, struct node **, struct registration **);
    int (*replace_nodes)(struct context *, struct registration, const struct ints *, struct delegate *);
};

struct delegate {
    void *data;
    int (*prepare)(struct context *, struct delegate *);
    void *copy_from, *copy_to, *free_handle;
    int64_t flags;
    void *added_later[16];
};

static bool faulty(const char *fault)
{
    const char *wanted = getenv("MASKCAM_STUB_FAULT");
    return wanted && strcmp(wanted, fault) == 0;
}

static int invoke(struct context *context, struct node *node)
{
    static long count;
    const char *after = getenv("MASKCAM_STUB_AFTER");
    bool broken = count++ >= (after ? atol(after) : 0);

    if (broken && faulty("lost")) {
        context->report_error(context, "edgetpu stub: the device is gone\n");
        return ERROR;
    }
    while (broken && faulty("hang"))
        sleep(3600);
    if (broken && faulty("crash"))
        *(volatile int *)0 = 1;

    const struct tensor *in = &context->tensors[node->inputs->data[0]];
    for (int i = 0; i < node->outputs->size; i++) {
        struct tensor *out = &context->tensors[node->outputs->data[i]];
        uint8_t *to = out->data;
        const uint8_t *from = in->data;
        bool zeros = (broken && faulty("wrong")) || in->bytes != out->bytes;
        for (size_t j = 0; j < out->bytes; j++)
            to[j] = zeros ? 0 : from[j];
    }
    return OK;
}

static int ready(struct context *context, struct node *node)
{
    (void)context, (void)node;
    return OK;
}

/* Before the first inference: takes over every operation that the compiler would have left to the device. */
static int prepare(struct context *context, struct delegate *delegate)
{
    struct ints *plan;
    if (context->get_execution_plan(context, &plan) != OK)
        return ERROR;
    struct ints *claimed = calloc(1, sizeof *claimed + (size_t)plan->size * sizeof(int));
    for (int i = 0; i < plan->size; i++) {
        struct node *node;
        struct registration *found;
        if (context->get_node(context, plan->data[i], &node, &found) == OK && found->custom_name &&
            strcmp(found->custom_name, "edgetpu-custom-op") == 0)
            claimed->data[claimed->size++] = plan->data[i];
    }
    struct registration kernel = {.prepare = ready, .invoke = invoke, .custom_name = "EdgeTpuStub", .version = 1};
    int status = claimed->size ? context->replace_nodes(context, kernel, claimed, delegate) : OK;
    free(claimed);
    return status;
}

struct delegate *tflite_plugin_create_delegate(const char *const *keys, const char *const *values, size_t count,
                                               void (*report)(const char *))
{
    (void)values;
    if (faulty("no-device"))
        return NULL;
    /* Python passes the count as an int: only the lower half of the register is sure to hold it. */
    for (int i = 0; i < (int)count; i++) {
        if (faulty("bad-option") || strcmp(keys[i], "device") != 0) {
            char text[100];
            snprintf(text, sizeof text, "unknown option %s", keys[i]);
            report(text);
            return NULL;
        }
    }
    struct delegate *made = calloc(1, sizeof *made);
    made->prepare = prepare;
    made->flags = ALLOW_DYNAMIC_TENSORS; /* else the interpreter prepares the unknown operation first, and fails */
    return made;
}

void tflite_plugin_destroy_delegate(struct delegate *delegate)
{
    free(delegate);
}
