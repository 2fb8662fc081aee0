/*
 * What the author of a plugin in C includes. phantom.c beside it has the rest; both need a compiler for wasm32 and no
 * library: see README.md.
 *
 * What the functions here return lives until the operation or hook that asked has returned, and is freed with it. What
 * must live longer is copied into memory of `phantom_alloc`.
 */
#ifndef PHANTOM_H
#define PHANTOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UTF-8, or any bytes; not ended by a zero. */
typedef struct {
  const char *data;
  size_t length;
} phantom_text;

/* The text of a C string. */
phantom_text phantom_text_of(const char *string);
bool phantom_equals(phantom_text text, const char *string);
/* `count` texts as one. */
phantom_text phantom_join(const phantom_text *texts, size_t count);

/* JSON. */

typedef enum { PHANTOM_NULL, PHANTOM_BOOLEAN, PHANTOM_NUMBER, PHANTOM_STRING, PHANTOM_ARRAY, PHANTOM_OBJECT } phantom_kind;

typedef struct phantom_json phantom_json;
struct phantom_json {
  phantom_kind kind;
  bool boolean;
  double number;
  phantom_text text;
  /* Of an array its items, of an object its members, each with its name. */
  phantom_json *first, *last, *next;
  phantom_text name;
};

/* NULL where the text is no JSON; `failure` then says why. */
phantom_json *phantom_parse(phantom_text text, phantom_text *failure);
phantom_text phantom_print(const phantom_json *value);

/* These take what is not there, NULL included, for null: a path can be followed. Of equal names the last counts. */
const phantom_json *phantom_get(const phantom_json *object, const char *name);
bool phantom_get_boolean(const phantom_json *object, const char *name, bool otherwise);
double phantom_get_number(const phantom_json *object, const char *name, double otherwise);
phantom_text phantom_get_text(const phantom_json *object, const char *name);

phantom_json *phantom_new_null(void);
phantom_json *phantom_new_boolean(bool value);
phantom_json *phantom_new_number(double value);
phantom_json *phantom_new_text(phantom_text value);
phantom_json *phantom_new_array(void);
phantom_json *phantom_new_object(void);
/* Both return the object or array, to go on. A value stands in one place alone. */
phantom_json *phantom_set(phantom_json *object, const char *name, phantom_json *value);
phantom_json *phantom_push(phantom_json *array, phantom_json *value);

/* Errors and answers. */

typedef struct {
  /* One of contract Runner: "fault", "input_invalid", "cancelled", "out_of_memory", "access_denied", ... */
  phantom_text name;
  phantom_text message;
  /* NULL where there are none. */
  const phantom_json *details;
} phantom_error;

/* The name may be NULL: "fault", a failure in the plugin's own words. */
const phantom_error *phantom_new_error(const char *name, phantom_text message);

typedef struct {
  const phantom_json *value;
  phantom_text bytes;
  const phantom_error *error;
} phantom_answer;

phantom_answer phantom_ok(const phantom_json *value);
/* A result that is JSON text already, handed on without a look. */
phantom_answer phantom_ok_bytes(phantom_text bytes);
phantom_answer phantom_fail(const phantom_error *error);
phantom_answer phantom_failure(const char *message);
/* Ends the call, and the plugin's process with it, in these words. */
_Noreturn void phantom_panic(phantom_text message);

/* The plugin: every .c file of it together defines `phantom_plugin` once. */

typedef struct {
  const char *name;
  /* One of the two: with the input as JSON, or with its bytes; empty for a call without input. */
  phantom_answer (*run)(const phantom_json *input);
  phantom_answer (*run_bytes)(phantom_text input);
} phantom_operation;

/* What another plugin wrote to this one, or an application. */
typedef struct {
  phantom_text id, type;
  /* The plugin that sent it: its host says so. The name that an application gave where `is_of_application`. */
  phantom_text sender;
  bool is_of_application;
  const phantom_json *payload;
} phantom_message;

typedef struct {
  const char *type;
  /* An error is a line of the plugin's log, nothing more; NULL when all went well. */
  const phantom_error *(*take)(const phantom_message *message);
} phantom_message_handler;

typedef struct {
  const phantom_operation *operations;
  size_t operation_count;
  /* For each of those that [[messages]] of plugin.toml declares. */
  const phantom_message_handler *messages;
  size_t message_count;
  /* Hooks, each optional. Those that return an error return NULL when all went well. */
  const phantom_error *(*initialize)(void);
  /* The words of a veto, or NULL. Asked before `initialize`, and before each change of the configuration. */
  const char *(*validate_config)(const phantom_json *config);
  const phantom_error *(*configure)(const phantom_json *config);
  const phantom_error *(*quiesce)(void);
  const phantom_error *(*resume)(void);
  const phantom_json *(*export_state)(void);
  const phantom_json *(*health)(void);
  const phantom_error *(*shutdown)(void);
  const phantom_json *(*metadata)(void);
  const phantom_json *(*capabilities)(void);
} phantom_definition;

extern const phantom_definition phantom_plugin;

/* What a plugin knows about itself, from `initialize` to `shutdown`. It lives as long. */
typedef struct {
  phantom_text plugin_id, plugin_version, workspace, data_dir;
  int generation;
  /* The newest one: another value after each `configure`. */
  const phantom_json *config;
  const phantom_json *metadata;
  /* What the generation before exported; null where there was none. */
  const phantom_json *previous_state;
  /* Of the call that runs. */
  phantom_text execution_id;
} phantom_context;

extern phantom_context phantom_self;

/* The host. Functions that return an error return NULL when all went well. */

typedef enum { PHANTOM_DEBUG, PHANTOM_INFO, PHANTOM_WARN, PHANTOM_ERROR } phantom_level;

void phantom_log(phantom_level level, phantom_text message);
/* A fraction from 0 to 1, below 0 where it is not known; a message, empty where there is none. */
void phantom_progress(double fraction, phantom_text message);
bool phantom_is_cancelled(void);
double phantom_remaining_ms(void);
/* Ends early, with the error "cancelled", when the call is cancelled. */
const phantom_error *phantom_sleep(double duration_ms);
const phantom_error *phantom_read_file(phantom_text path, phantom_text *bytes);
const phantom_error *phantom_write_file(phantom_text path, phantom_text bytes, bool append);

typedef struct {
  int status;
  const phantom_json *headers;
  phantom_text bytes;
} phantom_response;

/* `options` may be NULL, or have "method", "headers" and "timeout_ms"; they are the request's from then on. */
const phantom_error *phantom_fetch(phantom_text url, phantom_json *options, phantom_text body, phantom_response *response);
/*
 * Writes to another plugin, whose [[messages]] must take it from this one; NULL counts as null. The id, which is there as
 * soon as the message waits, may be of no interest: NULL.
 */
const phantom_error *phantom_send_message(phantom_text recipient, phantom_text type, const phantom_json *payload, phantom_text *id);
/* A variable that the manifest grants; false where it is not set, or not granted. */
bool phantom_environment(const char *name, phantom_text *value);

/* Memory that lives until it is freed; NULL when there is none left. The contents are not set. */
void *phantom_alloc(size_t length);
void phantom_free(void *pointer, size_t length);

#endif
