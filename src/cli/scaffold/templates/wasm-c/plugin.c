#include "phantom.h"

static phantom_answer greet(const phantom_json *input) {
  phantom_text name = phantom_get_text(input, "name");
  phantom_text line[] = {phantom_text_of("greeting "), name};
  phantom_log(PHANTOM_INFO, phantom_join(line, 2));
  phantom_text words[] = {phantom_text_of("Hello, "), name, phantom_text_of("!")};
  phantom_json *result = phantom_new_object();
  phantom_set(result, "message", phantom_new_text(phantom_join(words, 3)));
  return phantom_ok(result);
}

static const phantom_operation operations[] = {{"greet", .run = greet}};

const phantom_definition phantom_plugin = {.operations = operations, .operation_count = 1};
