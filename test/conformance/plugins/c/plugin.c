/* The conformance plugin in C: what each of its operations does is the same in every language. */
#include "../../../../sandbox-runner/wasm/sdk/c/phantom.h"

#define TEXT(string) ((phantom_text){string, sizeof(string) - 1})

static double count;
static double notes;
/* What was noted last, as JSON; in memory of its own. */
static phantom_text noted_last = {"null", 4};

static phantom_json *with_number(const char *name, double value) {
  return phantom_set(phantom_new_object(), name, phantom_new_number(value));
}

static phantom_answer echo(phantom_text input) { return phantom_ok_bytes(input); }

static phantom_answer word_count(const phantom_json *input) {
  phantom_text text = phantom_get_text(input, "text");
  double words = 0, chars = 0;
  bool is_in_word = false;
  for (size_t i = 0; i < text.length; i++) {
    unsigned char byte = (unsigned char)text.data[i];
    if ((byte & 0xc0) != 0x80) chars += 1;
    bool is_space = byte == ' ' || (byte >= '\t' && byte <= '\r');
    if (!is_space && !is_in_word) words += 1;
    is_in_word = !is_space;
  }
  return phantom_ok(phantom_set(with_number("words", words), "chars", phantom_new_number(chars)));
}

static phantom_answer read_file(const phantom_json *input) {
  phantom_text bytes;
  const phantom_error *error = phantom_read_file(phantom_get_text(input, "path"), &bytes);
  if (error != NULL) return phantom_fail(error);
  return phantom_ok(phantom_set(phantom_new_object(), "text", phantom_new_text(bytes)));
}

static phantom_answer write_file(const phantom_json *input) {
  phantom_text text = phantom_get_text(input, "text");
  const phantom_error *error = phantom_write_file(phantom_get_text(input, "path"), text, false);
  if (error != NULL) return phantom_fail(error);
  return phantom_ok(with_number("bytes", (double)text.length));
}

static phantom_answer fetch_url(const phantom_json *input) {
  phantom_response response;
  const phantom_error *error = phantom_fetch(phantom_get_text(input, "url"), NULL, TEXT(""), &response);
  if (error != NULL) return phantom_fail(error);
  return phantom_ok(phantom_set(with_number("status", response.status), "text", phantom_new_text(response.bytes)));
}

static phantom_answer read_env(const phantom_json *input) {
  phantom_text name = phantom_join((phantom_text[]){phantom_get_text(input, "name"), {"", 1}}, 2), value;
  bool is_set = phantom_environment(name.data, &value);
  phantom_json *found = is_set ? phantom_new_text(value) : phantom_new_null();
  return phantom_ok(phantom_set(phantom_new_object(), "value", found));
}

static phantom_answer sleep_for(const phantom_json *input) {
  double duration_ms = phantom_get_number(input, "duration_ms", 0);
  const phantom_error *error = phantom_sleep(duration_ms);
  if (error != NULL) return phantom_fail(error);
  return phantom_ok(with_number("slept_ms", duration_ms));
}

static phantom_answer spin(const phantom_json *input) {
  (void)input;
  for (volatile int turns = 0;; turns = turns + 1) continue;
}

static phantom_answer grow(const phantom_json *input) {
  (void)input;
  for (;;) {
    volatile char *bytes = phantom_alloc(65000);
    if (bytes == NULL) return phantom_fail(phantom_new_error("out_of_memory", TEXT("out of memory")));
    for (size_t i = 0; i < 65000; i += 1000) bytes[i] = 1;
  }
}

static phantom_answer panic(const phantom_json *input) { phantom_panic(phantom_get_text(input, "message")); }

static phantom_answer write_log(const phantom_json *input) {
  phantom_text level = phantom_get_text(input, "level");
  const char *names[] = {"debug", "info", "warn", "error"};
  for (int i = PHANTOM_DEBUG; i <= PHANTOM_ERROR; i++) {
    if (phantom_equals(level, names[i])) phantom_log((phantom_level)i, phantom_get_text(input, "message"));
  }
  return phantom_ok(NULL);
}

static phantom_answer report_progress(const phantom_json *input) {
  double steps = phantom_get_number(input, "steps", 0);
  for (double step = 1; step <= steps; step++) {
    phantom_text words[] = {
      TEXT("step "), phantom_print(phantom_new_number(step)), TEXT(" of "), phantom_print(phantom_new_number(steps)),
    };
    phantom_progress(step / steps, phantom_join(words, 4));
  }
  return phantom_ok(with_number("steps", steps));
}

static phantom_answer wait_for_cancel(const phantom_json *input) {
  (void)input;
  while (!phantom_is_cancelled()) {
    const phantom_error *error = phantom_sleep(10);
    if (error != NULL) return phantom_fail(error);
  }
  return phantom_fail(phantom_new_error("cancelled", TEXT("the call was cancelled")));
}

static phantom_answer count_up(const phantom_json *input) {
  (void)input;
  count += 1;
  return phantom_ok(with_number("count", count));
}

static phantom_answer send_note(const phantom_json *input) {
  phantom_text id, recipient = phantom_get_text(input, "recipient"), type = phantom_get_text(input, "type");
  const phantom_error *error = phantom_send_message(recipient, type, phantom_get(input, "payload"), &id);
  if (error != NULL) return phantom_fail(error);
  return phantom_ok(phantom_set(phantom_new_object(), "sent", phantom_new_boolean(id.length > 0)));
}

static phantom_answer noted(const phantom_json *input) {
  (void)input;
  phantom_text failure;
  return phantom_ok(phantom_set(with_number("count", notes), "last", phantom_parse(noted_last, &failure)));
}

static const phantom_error *note(const phantom_message *message) {
  if (phantom_equals(phantom_get_text(message->payload, "text"), "unlucky")) {
    return phantom_new_error(NULL, TEXT("unlucky is no note"));
  }
  phantom_text parts[] = {
    TEXT("{\"sender\":"), phantom_print(phantom_new_text(message->sender)),
    message->is_of_application ? TEXT(",\"origin\":\"application\",\"payload\":") : TEXT(",\"origin\":\"plugin\",\"payload\":"),
    phantom_print(message->payload), TEXT("}"),
  };
  phantom_text text = phantom_join(parts, 5);
  char *kept = phantom_alloc(text.length);
  if (kept == NULL) return phantom_new_error("out_of_memory", TEXT("out of memory"));
  for (size_t i = 0; i < text.length; i++) kept[i] = text.data[i];
  if (notes > 0) phantom_free((void *)noted_last.data, noted_last.length);
  noted_last = (phantom_text){kept, text.length};
  notes += 1;
  return NULL;
}

static const phantom_error *initialize(void) {
  count = phantom_get_number(phantom_self.previous_state, "count", 0);
  return NULL;
}

static const char *validate_config(const phantom_json *config) {
  return phantom_get_number(config, "depth", 0) > 10 ? "depth must be at most 10" : NULL;
}

static const phantom_json *health(void) {
  return phantom_set(phantom_new_object(), "healthy", phantom_new_boolean(true));
}

static const phantom_json *export_state(void) { return with_number("count", count); }

static const phantom_operation operations[] = {
  {"echo", .run_bytes = echo},
  {"word_count", .run = word_count},
  {"read_file", .run = read_file},
  {"write_file", .run = write_file},
  {"fetch_url", .run = fetch_url},
  {"read_env", .run = read_env},
  {"sleep", .run = sleep_for},
  {"spin", .run = spin},
  {"grow", .run = grow},
  {"panic", .run = panic},
  {"log", .run = write_log},
  {"report_progress", .run = report_progress},
  {"wait_for_cancel", .run = wait_for_cancel},
  {"count", .run = count_up},
  {"send", .run = send_note},
  {"noted", .run = noted},
};

static const phantom_message_handler messages[] = {{"note", note}};

const phantom_definition phantom_plugin = {
  .operations = operations,
  .operation_count = sizeof(operations) / sizeof(operations[0]),
  .messages = messages,
  .message_count = 1,
  .initialize = initialize,
  .validate_config = validate_config,
  .health = health,
  .export_state = export_state,
};
