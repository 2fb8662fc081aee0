/* "phantom-wasm v1" for plugins in C: memory, JSON, frames, dispatch. Freestanding; phantom.h is for authors. */
#include "phantom.h"

#define EXPORT(name) __attribute__((export_name(name)))
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define WEAK __attribute__((weak))
/* Of a C string that stands in the source. */
#define TEXT(string) ((phantom_text){string, sizeof(string) - 1})
#define PAGE_BYTES 65536u
#define MAX_DEPTH 128
#define MAX_TEXT_BYTES 8192u

IMPORT("phantom:host/v1", "call") uint64_t host_call(const char *pointer, size_t length);
IMPORT("wasi_snapshot_preview1", "environ_sizes_get") int environ_sizes_get(uint32_t *count, uint32_t *bytes);
IMPORT("wasi_snapshot_preview1", "environ_get") int environ_get(char **pointers, char *texts);
IMPORT("wasi_snapshot_preview1", "fd_write") int fd_write(int descriptor, const phantom_text *ranges, size_t count, size_t *written);

/* Compilers call these by themselves. */
WEAK void *memcpy(void *to, const void *from, size_t length) { return __builtin_memmove(to, from, length); }
WEAK void *memmove(void *to, const void *from, size_t length) { return __builtin_memmove(to, from, length); }
WEAK void *memset(void *to, int byte, size_t length) { return __builtin_memset(to, byte, length); }

/* Memory: a list of free blocks by address. It takes only pages that it grew itself. */

typedef struct block block;
struct block {
  size_t length;
  block *next;
  uint64_t unused;
};
#define HEAD_BYTES 16u

static block *free_blocks;

static void give_block(block *given) {
  block *before = NULL, *after = free_blocks;
  while (after != NULL && after < given) {
    before = after;
    after = after->next;
  }
  given->next = after;
  if (before == NULL) free_blocks = given;
  else before->next = given;
  if (after != NULL && (char *)given + given->length == (char *)after) {
    given->length += after->length;
    given->next = after->next;
  }
  if (before != NULL && (char *)before + before->length == (char *)given) {
    before->length += given->length;
    before->next = given->next;
  }
}

static bool grow_memory(size_t length) {
  size_t pages = (length + PAGE_BYTES - 1) / PAGE_BYTES;
  size_t at = __builtin_wasm_memory_grow(0, pages);
  if (at == (size_t)-1) return false;
  block *grown = (block *)(at * PAGE_BYTES);
  grown->length = pages * PAGE_BYTES;
  give_block(grown);
  return true;
}

EXPORT("phantom_alloc") void *phantom_alloc(size_t length) {
  if (length > 0x7fff0000u) return NULL;
  /* A head and at least as much again, so that what is left over can be a block. */
  size_t wanted = (length + HEAD_BYTES + 31u) & ~(size_t)31u;
  for (;;) {
    for (block **link = &free_blocks; *link != NULL; link = &(*link)->next) {
      block *found = *link;
      if (found->length < wanted) continue;
      if (found->length - wanted >= 64) {
        block *rest = (block *)((char *)found + wanted);
        rest->length = found->length - wanted;
        rest->next = found->next;
        *link = rest;
        found->length = wanted;
      } else {
        *link = found->next;
      }
      return (char *)found + HEAD_BYTES;
    }
    if (!grow_memory(wanted)) return NULL;
  }
}

EXPORT("phantom_free") void phantom_free(void *pointer, size_t length) {
  (void)length;
  if (pointer != NULL) give_block((block *)((char *)pointer - HEAD_BYTES));
}

/* What a request needs, freed at its end. */

typedef struct chunk chunk;
struct chunk {
  chunk *next;
  size_t used, length;
};
#define CHUNK_BYTES 4064u

static chunk *arena;
/* What `phantom_self` points into: of `initialize`, and of the last `configure`. */
static chunk *own_arena, *config_arena;

/*
 * The trap says nothing by itself: the words of a failure are the last line on stderr before it. Not by a call of the
 * host: a module that calls it nowhere else is entered faster. It takes no memory, since there may be none.
 */
_Noreturn void phantom_panic(phantom_text message) {
  size_t written;
  for (size_t start = 0, end; start < message.length; start = end + 1) {
    for (end = start; end < message.length && message.data[end] != '\n';) end += 1;
    phantom_text parts[] = {{message.data + start, end - start}, TEXT(" ")};
    fd_write(2, parts, end + 1 < message.length ? 2 : 1, &written);
  }
  fd_write(2, &TEXT("\n"), 1, &written);
  __builtin_trap();
}

_Noreturn static void trap_without_memory(void) { phantom_panic(TEXT("out of memory")); }

static void *take(size_t length) {
  length = (length + 7u) & ~(size_t)7u;
  if (arena == NULL || arena->length - arena->used < length) {
    size_t room = length > CHUNK_BYTES ? length : CHUNK_BYTES;
    chunk *fresh = phantom_alloc(sizeof(chunk) + room);
    if (fresh == NULL) trap_without_memory();
    fresh->next = arena;
    fresh->used = 0;
    fresh->length = room;
    arena = fresh;
  }
  void *taken = (char *)(arena + 1) + arena->used;
  arena->used += length;
  return taken;
}

static void free_chunks(chunk *first) {
  while (first != NULL) {
    chunk *next = first->next;
    phantom_free(first, 0);
    first = next;
  }
}

/* Texts. */

phantom_text phantom_text_of(const char *string) {
  size_t length = 0;
  while (string[length] != 0) length += 1;
  return (phantom_text){string, length};
}

bool phantom_equals(phantom_text text, const char *string) {
  for (size_t i = 0; i < text.length; i++) {
    if (string[i] == 0 || text.data[i] != string[i]) return false;
  }
  return string[text.length] == 0;
}

phantom_text phantom_join(const phantom_text *texts, size_t count) {
  size_t length = 0;
  for (size_t i = 0; i < count; i++) length += texts[i].length;
  char *joined = take(length), *to = joined;
  for (size_t i = 0; i < count; i++) {
    __builtin_memcpy(to, texts[i].data, texts[i].length);
    to += texts[i].length;
  }
  return (phantom_text){joined, length};
}

static phantom_text concat(phantom_text a, phantom_text b, phantom_text c) {
  phantom_text texts[] = {a, b, c};
  return phantom_join(texts, 3);
}

/* Bytes that grow; they are of `phantom_alloc`. */

typedef struct {
  char *data;
  size_t length, capacity;
} buffer;

static void reserve(buffer *to, size_t more) {
  if (to->length + more <= to->capacity) return;
  size_t capacity = to->capacity * 2 > to->length + more ? to->capacity * 2 : to->length + more;
  char *data = phantom_alloc(capacity);
  if (data == NULL) trap_without_memory();
  if (to->length > 0) __builtin_memcpy(data, to->data, to->length);
  phantom_free(to->data, to->capacity);
  to->data = data;
  to->capacity = capacity;
}

static void put(buffer *to, phantom_text text) {
  reserve(to, text.length);
  if (text.length > 0) __builtin_memcpy(to->data + to->length, text.data, text.length);
  to->length += text.length;
}

static void put_byte(buffer *to, char byte) {
  reserve(to, 1);
  to->data[to->length++] = byte;
}

static void put_unsigned(buffer *to, uint64_t value, unsigned base) {
  char digits[64];
  size_t count = 0;
  do digits[count++] = "0123456789abcdefghijklmnopqrstuvwxyz"[value % base];
  while ((value /= base) > 0);
  while (count > 0) put_byte(to, digits[--count]);
}

static uint64_t as_range(buffer of) { return (uint64_t)(uintptr_t)of.data << 32 | of.length; }

/* Numbers: exact both ways, by whole numbers of any size where f64 alone would round twice. */

#define LIMBS 192
typedef struct {
  uint32_t limb[LIMBS];
  int count;
} big;

static void big_multiply(big *value, uint32_t by, uint32_t add) {
  uint64_t carry = add;
  for (int i = 0; i < value->count; i++) {
    carry += (uint64_t)value->limb[i] * by;
    value->limb[i] = (uint32_t)carry;
    carry >>= 32;
  }
  if (carry > 0 && value->count < LIMBS) value->limb[value->count++] = (uint32_t)carry;
}

static void big_power(big *value, uint32_t of, int exponent) {
  for (; exponent > 0; exponent--) big_multiply(value, of, 0);
}

static void big_set(big *value, uint64_t to) {
  value->limb[0] = (uint32_t)to;
  value->limb[1] = (uint32_t)(to >> 32);
  value->count = value->limb[1] > 0 ? 2 : value->limb[0] > 0;
}

static int big_compare(const big *a, const big *b) {
  if (a->count != b->count) return a->count < b->count ? -1 : 1;
  for (int i = a->count - 1; i >= 0; i--) {
    if (a->limb[i] != b->limb[i]) return a->limb[i] < b->limb[i] ? -1 : 1;
  }
  return 0;
}

static uint32_t big_divide(big *value, uint32_t by) {
  uint64_t rest = 0;
  for (int i = value->count - 1; i >= 0; i--) {
    rest = rest << 32 | value->limb[i];
    value->limb[i] = (uint32_t)(rest / by);
    rest %= by;
  }
  while (value->count > 0 && value->limb[value->count - 1] == 0) value->count -= 1;
  return (uint32_t)rest;
}

static uint64_t bits_of(double value) {
  union { double number; uint64_t bits; } as = {.number = value};
  return as.bits;
}

static double from_bits(uint64_t bits) {
  union { uint64_t bits; double number; } as = {.bits = bits};
  return as.number;
}

/* A positive number is mantissa * 2^exponent. */
static uint64_t take_apart(uint64_t bits, int *exponent) {
  uint64_t fraction = bits & 0xfffffffffffffull;
  int raised = (int)(bits >> 52);
  *exponent = (raised == 0 ? 1 : raised) - 1075;
  return raised == 0 ? fraction : fraction | 1ull << 52;
}

#define MAX_DIGITS 780
typedef struct {
  char digit[MAX_DIGITS + 1];
  int count;
  /* The digits stand for a whole number times 10^exponent. */
  int exponent;
} decimal;

/* How `digits` compares with the middle between the number of `bits` and the next larger one. */
static int compare_with_middle(const decimal *of, uint64_t bits) {
  static big left, right;
  int exponent;
  uint64_t mantissa = take_apart(bits, &exponent) * 2 + 1;
  exponent -= 1;
  left.count = 0;
  for (int i = 0; i < of->count; i++) {
    if (left.count == 0) big_set(&left, (uint64_t)of->digit[i]);
    else big_multiply(&left, 10, (uint32_t)of->digit[i]);
  }
  big_set(&right, mantissa);
  big_power(of->exponent >= 0 ? &left : &right, 10, of->exponent >= 0 ? of->exponent : -of->exponent);
  big_power(exponent >= 0 ? &right : &left, 2, exponent >= 0 ? exponent : -exponent);
  return big_compare(&left, &right);
}

static double power_of_ten(int exponent) {
  double power = 1, base = 10;
  for (int left = exponent < 0 ? -exponent : exponent; left > 0; left /= 2, base *= base) {
    if (left % 2 == 1) power *= base;
  }
  return power;
}

static double scaled(double value, int exponent) {
  /* In two steps where one power would not be a number. */
  if (exponent < -300) return value / power_of_ten(300) / power_of_ten(-exponent - 300);
  return exponent < 0 ? value / power_of_ten(-exponent) : value * power_of_ten(exponent);
}

static double to_number(const decimal *of) {
  if (of->count == 0 || of->count + of->exponent < -330) return 0;
  if (of->count + of->exponent > 310) return __builtin_inf();
  double value = 0;
  int used = of->count < 18 ? of->count : 18;
  for (int i = 0; i < used; i++) value = value * 10 + of->digit[i];
  int exponent = of->exponent + of->count - used;
  if (of->count <= 15 && exponent >= -22 && exponent <= 22) return scaled(value, exponent);
  /* A guess that is near, then the right one of its neighbours: ties go to the even one. */
  uint64_t bits = bits_of(scaled(value, exponent));
  if (bits > 0x7fefffffffffffffull) bits = 0x7fefffffffffffffull;
  for (;;) {
    int order = compare_with_middle(of, bits);
    if (order < 0 || (order == 0 && bits % 2 == 0)) break;
    bits += 1;
    if (bits > 0x7fefffffffffffffull) return __builtin_inf();
  }
  while (bits > 0) {
    int order = compare_with_middle(of, bits - 1);
    if (order > 0 || (order == 0 && bits % 2 == 0)) break;
    bits -= 1;
  }
  return from_bits(bits);
}

/* All digits of a positive number. */
static void take_digits(double value, decimal *to) {
  static big whole;
  static uint32_t groups[LIMBS];
  int exponent, count = 0;
  big_set(&whole, take_apart(bits_of(value), &exponent));
  big_power(&whole, exponent >= 0 ? 2 : 5, exponent >= 0 ? exponent : -exponent);
  while (whole.count > 0) groups[count++] = big_divide(&whole, 1000000000u);
  to->count = 0;
  to->exponent = exponent >= 0 ? 0 : exponent;
  for (int i = count - 1; i >= 0; i--) {
    for (uint32_t unit = 100000000u; unit > 0; unit /= 10) {
      char digit = (char)(groups[i] / unit % 10);
      if (to->count > 0 || digit > 0) to->digit[to->count++] = digit;
    }
  }
}

/* To so many digits, and without zeros at the end. */
static void round_digits(const decimal *from, int count, decimal *to) {
  to->count = from->count < count ? from->count : count;
  to->exponent = from->exponent + from->count - to->count;
  __builtin_memcpy(to->digit, from->digit, (size_t)to->count);
  if (from->count > count && from->digit[count] >= 5) {
    int i = count - 1;
    while (i >= 0 && to->digit[i] == 9) to->digit[i--] = 0;
    if (i >= 0) to->digit[i] += 1;
    else {
      to->digit[0] = 1;
      to->exponent += count;
      to->count = 1;
    }
  }
  while (to->count > 1 && to->digit[to->count - 1] == 0) {
    to->count -= 1;
    to->exponent += 1;
  }
}

static void put_number(buffer *to, double value) {
  static decimal all, shown;
  if (value != value || value - value != 0) {
    put(to, TEXT("null"));
    return;
  }
  if (value < 0) put_byte(to, '-');
  value = value < 0 ? -value : value;
  if (value <= 9007199254740991.0 && value == __builtin_trunc(value)) {
    put_unsigned(to, (uint64_t)value, 10);
    return;
  }
  take_digits(value, &all);
  for (int digits = 15; digits <= 17; digits++) {
    round_digits(&all, digits, &shown);
    if (to_number(&shown) == value) break;
  }
  int point = shown.count + shown.exponent - 1;
  bool is_plain = point >= -7 && point < 0;
  if (is_plain) {
    put(to, TEXT("0."));
    for (int i = -1; i > point; i--) put_byte(to, '0');
  }
  for (int i = 0; i < shown.count; i++) {
    if (!is_plain && i == (point > 0 && point < shown.count ? point + 1 : 1)) put_byte(to, '.');
    put_byte(to, (char)('0' + shown.digit[i]));
  }
  if (is_plain || (point > 0 && point < shown.count) || point == 0) return;
  put_byte(to, 'e');
  if (point < 0) put_byte(to, '-');
  put_unsigned(to, (uint64_t)(point < 0 ? -point : point), 10);
}

/* JSON: values. */

static const phantom_json none = {.kind = PHANTOM_NULL};

static phantom_json *new_value(phantom_kind kind) {
  phantom_json *value = take(sizeof(phantom_json));
  __builtin_memset(value, 0, sizeof(phantom_json));
  value->kind = kind;
  return value;
}

phantom_json *phantom_new_null(void) { return new_value(PHANTOM_NULL); }
phantom_json *phantom_new_array(void) { return new_value(PHANTOM_ARRAY); }
phantom_json *phantom_new_object(void) { return new_value(PHANTOM_OBJECT); }

phantom_json *phantom_new_boolean(bool boolean) {
  phantom_json *value = new_value(PHANTOM_BOOLEAN);
  value->boolean = boolean;
  return value;
}

phantom_json *phantom_new_number(double number) {
  phantom_json *value = new_value(PHANTOM_NUMBER);
  value->number = number;
  return value;
}

phantom_json *phantom_new_text(phantom_text text) {
  phantom_json *value = new_value(PHANTOM_STRING);
  value->text = text;
  return value;
}

phantom_json *phantom_push(phantom_json *array, phantom_json *value) {
  value->next = NULL;
  if (array->last == NULL) array->first = value;
  else array->last->next = value;
  array->last = value;
  return array;
}

phantom_json *phantom_set(phantom_json *object, const char *name, phantom_json *value) {
  phantom_json **link = &object->first, *before = NULL;
  while (*link != NULL && !phantom_equals((*link)->name, name)) {
    before = *link;
    link = &before->next;
  }
  if (*link != NULL) {
    if (object->last == *link) object->last = before;
    *link = (*link)->next;
  }
  value->name = phantom_text_of(name);
  return phantom_push(object, value);
}

const phantom_json *phantom_get(const phantom_json *object, const char *name) {
  const phantom_json *found = &none;
  if (object == NULL || object->kind != PHANTOM_OBJECT) return found;
  for (const phantom_json *member = object->first; member != NULL; member = member->next) {
    if (phantom_equals(member->name, name)) found = member;
  }
  return found;
}

bool phantom_get_boolean(const phantom_json *object, const char *name, bool otherwise) {
  const phantom_json *value = phantom_get(object, name);
  return value->kind == PHANTOM_BOOLEAN ? value->boolean : otherwise;
}

double phantom_get_number(const phantom_json *object, const char *name, double otherwise) {
  const phantom_json *value = phantom_get(object, name);
  return value->kind == PHANTOM_NUMBER ? value->number : otherwise;
}

phantom_text phantom_get_text(const phantom_json *object, const char *name) {
  const phantom_json *value = phantom_get(object, name);
  return value->kind == PHANTOM_STRING ? value->text : TEXT("");
}

/* JSON: reading. Texts without escapes are parts of what was read; the caller keeps it as long. */

typedef struct {
  const char *start, *at, *end;
  const char *failure;
} reader;

static int peek(const reader *from) { return from->at < from->end ? (unsigned char)*from->at : 0; }

static void *fail(reader *from, const char *why) {
  if (from->failure == NULL) from->failure = why;
  return NULL;
}

static void skip_space(reader *from) {
  while (peek(from) == ' ' || peek(from) == '\n' || peek(from) == '\r' || peek(from) == '\t') from->at += 1;
}

static bool takes(reader *from, char byte) {
  skip_space(from);
  if (peek(from) != byte) return false;
  from->at += 1;
  return true;
}

static bool is_digit(int byte) { return byte >= '0' && byte <= '9'; }

/* The bytes of one character of UTF-8, or 0. */
static int character_bytes(const char *at, const char *end) {
  const unsigned char *byte = (const unsigned char *)at;
  int size = byte[0] < 0x80 ? 1 : byte[0] >= 0xf0 ? 4 : byte[0] >= 0xe0 ? 3 : byte[0] >= 0xc2 ? 2 : 0;
  if (size == 1) return 1;
  if (size == 0 || byte[0] > 0xf4 || end - at < size) return 0;
  for (int i = 1; i < size; i++) {
    if ((byte[i] & 0xc0) != 0x80) return 0;
  }
  if ((byte[0] == 0xe0 && byte[1] < 0xa0) || (byte[0] == 0xed && byte[1] > 0x9f)) return 0;
  if ((byte[0] == 0xf0 && byte[1] < 0x90) || (byte[0] == 0xf4 && byte[1] > 0x8f)) return 0;
  return size;
}

static uint32_t read_unit(reader *from) {
  uint32_t unit = 0;
  for (int i = 0; i < 4; i++) {
    int byte = peek(from), letter = byte | 0x20;
    if (is_digit(byte)) unit = unit << 4 | (uint32_t)(byte - '0');
    else if (letter >= 'a' && letter <= 'f') unit = unit << 4 | (uint32_t)(letter - 'a' + 10);
    else fail(from, "an unknown escape");
    from->at += 1;
  }
  return unit;
}

static char *put_code(char *to, uint32_t code) {
  if (code < 0x80) *to++ = (char)code;
  else if (code < 0x800) *to++ = (char)(0xc0 | code >> 6);
  else {
    if (code < 0x10000) *to++ = (char)(0xe0 | code >> 12);
    else {
      *to++ = (char)(0xf0 | code >> 18);
      *to++ = (char)(0x80 | (code >> 12 & 0x3f));
    }
    *to++ = (char)(0x80 | (code >> 6 & 0x3f));
  }
  if (code >= 0x80) *to++ = (char)(0x80 | (code & 0x3f));
  return to;
}

/* Half a pair becomes U+FFFD: UTF-8 has no such character. */
static char *read_escape(reader *from, char *to) {
  from->at += 1;
  int byte = peek(from);
  from->at += 1;
  switch (byte) {
    case '"': case '\\': case '/': *to = (char)byte; return to + 1;
    case 'b': *to = '\b'; return to + 1;
    case 'f': *to = '\f'; return to + 1;
    case 'n': *to = '\n'; return to + 1;
    case 'r': *to = '\r'; return to + 1;
    case 't': *to = '\t'; return to + 1;
    case 'u': break;
    default: fail(from, "an unknown escape"); return to;
  }
  uint32_t unit = read_unit(from);
  if (unit < 0xd800 || unit > 0xdfff) return put_code(to, unit);
  bool has_next = unit < 0xdc00 && from->end - from->at >= 6 && from->at[0] == '\\' && from->at[1] == 'u';
  if (!has_next) return put_code(to, 0xfffd);
  reader ahead = *from;
  ahead.at += 2;
  uint32_t next = read_unit(&ahead);
  if ((next & 0xfc00) != 0xdc00) return put_code(to, 0xfffd);
  from->at = ahead.at;
  return put_code(to, 0x10000 + ((unit & 0x3ff) << 10) + (next & 0x3ff));
}

static phantom_text read_string(reader *from) {
  const char *start = ++from->at, *end = start;
  bool has_escapes = false;
  while (end < from->end && *end != '"') {
    has_escapes |= *end == '\\';
    end += *end == '\\' ? 2 : 1;
  }
  if (end >= from->end) return fail(from, "a string without its end"), TEXT("");
  /* An escape is never shorter than what it stands for. */
  char *text = has_escapes ? take((size_t)(end - start) + 4) : NULL, *to = text;
  while (from->at < end && from->failure == NULL) {
    int size = character_bytes(from->at, end);
    if ((unsigned char)*from->at < 0x20) fail(from, "a control character in a string");
    else if (size == 0) fail(from, "bytes that are no UTF-8");
    else if (*from->at == '\\') to = read_escape(from, to);
    else {
      for (; size > 0; size--, from->at++) {
        if (has_escapes) *to++ = *from->at;
      }
    }
  }
  from->at = end + 1;
  return has_escapes ? (phantom_text){text, (size_t)(to - text)} : (phantom_text){start, (size_t)(end - start)};
}

static void read_digits(reader *from, decimal *into, bool is_fraction, int *read) {
  for (*read = 0; is_digit(peek(from)); from->at++, *read += 1) {
    char digit = (char)(peek(from) - '0');
    if (into->count == 0 && digit == 0) into->exponent -= is_fraction;
    else if (into->count < MAX_DIGITS) {
      into->digit[into->count++] = digit;
      into->exponent -= is_fraction;
    } else {
      /* What does not fit only says that there is more. */
      if (digit > 0 && into->digit[MAX_DIGITS - 1] == 0) into->digit[MAX_DIGITS - 1] = 1;
      into->exponent += !is_fraction;
    }
  }
}

static phantom_json *read_number(reader *from) {
  static decimal digits;
  int whole, count, exponent = 0;
  bool is_negative = peek(from) == '-';
  digits.count = digits.exponent = 0;
  from->at += is_negative;
  const char *start = from->at;
  read_digits(from, &digits, false, &whole);
  if (whole == 0 || (whole > 1 && *start == '0')) return fail(from, "no number");
  if (peek(from) == '.') {
    from->at += 1;
    read_digits(from, &digits, true, &count);
    if (count == 0) return fail(from, "no number");
  }
  if ((peek(from) | 0x20) == 'e') {
    from->at += 1;
    bool is_small = peek(from) == '-';
    from->at += is_small || peek(from) == '+';
    for (count = 0; is_digit(peek(from)); from->at++, count++) {
      if (exponent < 100000) exponent = exponent * 10 + peek(from) - '0';
    }
    if (count == 0) return fail(from, "no number");
    digits.exponent += is_small ? -exponent : exponent;
  }
  double value = to_number(&digits);
  return phantom_new_number(is_negative ? -value : value);
}

static phantom_json *read_word(reader *from, phantom_text word, phantom_json *value) {
  for (size_t i = 0; i < word.length; i++, from->at++) {
    if (peek(from) != word.data[i]) return fail(from, "no value");
  }
  return value;
}

static phantom_json *read_value(reader *from, int depth);

static phantom_json *read_list(reader *from, int depth, char end) {
  phantom_json *list = new_value(end == '}' ? PHANTOM_OBJECT : PHANTOM_ARRAY);
  from->at += 1;
  if (takes(from, end)) return list;
  do {
    phantom_text name = TEXT("");
    if (end == '}') {
      skip_space(from);
      if (peek(from) != '"') return fail(from, "no name of a member");
      name = read_string(from);
      if (!takes(from, ':')) return fail(from, "no \":\"");
    }
    phantom_json *value = read_value(from, depth + 1);
    if (value == NULL || from->failure != NULL) return NULL;
    value->name = name;
    phantom_push(list, value);
  } while (takes(from, ','));
  return takes(from, end) ? list : fail(from, "a list without its end");
}

static phantom_json *read_value(reader *from, int depth) {
  if (depth > MAX_DEPTH) return fail(from, "too many levels");
  skip_space(from);
  int byte = peek(from);
  if (byte == '{') return read_list(from, depth, '}');
  if (byte == '[') return read_list(from, depth, ']');
  if (byte == '"') return phantom_new_text(read_string(from));
  if (byte == 't') return read_word(from, TEXT("true"), phantom_new_boolean(true));
  if (byte == 'f') return read_word(from, TEXT("false"), phantom_new_boolean(false));
  if (byte == 'n') return read_word(from, TEXT("null"), phantom_new_null());
  if (byte == '-' || is_digit(byte)) return read_number(from);
  return fail(from, "no value");
}

phantom_json *phantom_parse(phantom_text text, phantom_text *failure) {
  reader from = {text.data, text.data, text.data + text.length, NULL};
  phantom_json *value = read_value(&from, 0);
  skip_space(&from);
  if (from.failure == NULL && from.at < from.end) fail(&from, "text behind the value");
  if (from.failure == NULL) return value;
  buffer place = {0};
  put_unsigned(&place, (uint64_t)(from.at - from.start), 10);
  *failure = concat(phantom_text_of(from.failure), TEXT(" at byte "), (phantom_text){place.data, place.length});
  phantom_free(place.data, 0);
  return NULL;
}

/* JSON: writing. */

static void put_string(buffer *to, phantom_text text) {
  put_byte(to, '"');
  for (size_t i = 0; i < text.length;) {
    unsigned char byte = (unsigned char)text.data[i];
    int size = character_bytes(text.data + i, text.data + text.length);
    if (size == 0) put(to, TEXT("\xef\xbf\xbd"));
    else if (byte == '"' || byte == '\\') {
      put_byte(to, '\\');
      put_byte(to, (char)byte);
    } else if (byte < 0x20) {
      put(to, byte < 0x10 ? TEXT("\\u000") : TEXT("\\u00"));
      put_unsigned(to, byte, 16);
    } else put(to, (phantom_text){text.data + i, (size_t)size});
    i += size == 0 ? 1 : (size_t)size;
  }
  put_byte(to, '"');
}

static void put_json(buffer *to, const phantom_json *value) {
  if (value == NULL || value->kind == PHANTOM_NULL) put(to, TEXT("null"));
  else if (value->kind == PHANTOM_BOOLEAN) put(to, value->boolean ? TEXT("true") : TEXT("false"));
  else if (value->kind == PHANTOM_NUMBER) put_number(to, value->number);
  else if (value->kind == PHANTOM_STRING) put_string(to, value->text);
  else {
    bool is_object = value->kind == PHANTOM_OBJECT;
    put_byte(to, is_object ? '{' : '[');
    for (const phantom_json *member = value->first; member != NULL; member = member->next) {
      if (member != value->first) put_byte(to, ',');
      if (is_object) {
        put_string(to, member->name);
        put_byte(to, ':');
      }
      put_json(to, member);
    }
    put_byte(to, is_object ? '}' : ']');
  }
}

phantom_text phantom_print(const phantom_json *value) {
  buffer text = {0};
  put_json(&text, value);
  phantom_text copy = phantom_join(&(phantom_text){text.data, text.length}, 1);
  phantom_free(text.data, 0);
  return copy;
}

/* Errors and answers. */

static const struct {
  const char *name;
  int code;
} error_codes[] = {
  {"fault", 34001},         {"input_invalid", 34002},     {"operation_not_found", 34003}, {"cancelled", 34004},
  {"out_of_memory", 34005}, {"payload_too_large", 34006}, {"access_denied", 34007},
};

const phantom_error *phantom_new_error(const char *name, phantom_text message) {
  phantom_error *error = take(sizeof(phantom_error));
  *error = (phantom_error){name == NULL ? TEXT("fault") : phantom_text_of(name), message, NULL};
  return error;
}

phantom_answer phantom_ok(const phantom_json *value) { return (phantom_answer){.value = value}; }
phantom_answer phantom_ok_bytes(phantom_text bytes) { return (phantom_answer){.bytes = bytes}; }
phantom_answer phantom_fail(const phantom_error *error) { return (phantom_answer){.error = error}; }
phantom_answer phantom_failure(const char *message) {
  return phantom_fail(phantom_new_error(NULL, phantom_text_of(message)));
}

static const phantom_error *fault(phantom_text message) { return phantom_new_error(NULL, message); }

static phantom_answer ok_member(const char *name, const phantom_json *value) {
  phantom_json *copy = new_value(PHANTOM_NULL), *result = phantom_new_object();
  if (value != NULL) *copy = *value;
  return phantom_ok(phantom_set(result, name, copy));
}

/* Calls of the host. */

static const char *const levels[] = {"debug", "info", "warn", "error"};
static phantom_level least_level = PHANTOM_INFO;
static uint64_t host_calls;

typedef struct {
  const phantom_error *error;
  const phantom_json *result;
  phantom_text bytes;
} host_answer;

static host_answer ask(const char *method, phantom_json *params, const phantom_text *payload) {
  buffer request = {0};
  put(&request, TEXT("{\"jsonrpc\":\"2.0\",\"id\":"));
  put_unsigned(&request, ++host_calls, 10);
  put(&request, TEXT(",\"method\":\""));
  put(&request, phantom_text_of(method));
  put(&request, TEXT("\",\"params\":"));
  put_json(&request, params);
  if (payload != NULL) {
    put(&request, TEXT(",\"payload_bytes\":"));
    put_unsigned(&request, payload->length, 10);
  }
  put(&request, TEXT("}\n"));
  if (payload != NULL) put(&request, *payload);
  uint64_t range = host_call(request.data, request.length);
  phantom_free(request.data, request.length);
  if (range == 0) {
    return (host_answer){.error = phantom_new_error("out_of_memory", TEXT("Cannot take the answer of the host: there is no room for it"))};
  }
  char *pointer = (char *)(uintptr_t)(range >> 32);
  phantom_text frame = phantom_join(&(phantom_text){pointer, (size_t)(range & 0xffffffffu)}, 1);
  phantom_free(pointer, frame.length);
  size_t line = 0;
  while (line < frame.length && frame.data[line] != '\n') line += 1;
  phantom_text failure;
  const phantom_json *answer = phantom_parse((phantom_text){frame.data, line}, &failure);
  const phantom_json *refused = phantom_get(answer, "error"), *data = phantom_get(refused, "data");
  if (refused->kind == PHANTOM_OBJECT) {
    phantom_error *error = take(sizeof(phantom_error));
    phantom_text name = phantom_get_text(data, "name");
    *error = (phantom_error){name.length > 0 ? name : TEXT("fault"), phantom_get_text(refused, "message"), phantom_get(data, "details")};
    return (host_answer){.error = error};
  }
  size_t behind = line < frame.length ? line + 1 : line;
  return (host_answer){NULL, phantom_get(answer, "result"), {frame.data + behind, frame.length - behind}};
}

void phantom_log(phantom_level level, phantom_text message) {
  if (level < least_level) return;
  /* Not in the middle of a character. */
  size_t length = message.length < MAX_TEXT_BYTES ? message.length : MAX_TEXT_BYTES;
  while (length > 0 && length < message.length && ((unsigned char)message.data[length] & 0xc0) == 0x80) length -= 1;
  phantom_json *params = phantom_set(phantom_new_object(), "level", phantom_new_text(phantom_text_of(levels[level])));
  ask("log", phantom_set(params, "message", phantom_new_text((phantom_text){message.data, length})), NULL);
}


void phantom_progress(double fraction, phantom_text message) {
  phantom_json *params = phantom_new_object();
  if (fraction >= 0) phantom_set(params, "fraction", phantom_new_number(fraction));
  if (message.length > 0) phantom_set(params, "message", phantom_new_text(message));
  ask("progress", params, NULL);
}

bool phantom_is_cancelled(void) {
  return phantom_get_boolean(ask("is_cancelled", phantom_new_object(), NULL).result, "cancelled", false);
}

double phantom_remaining_ms(void) {
  return phantom_get_number(ask("remaining_ms", phantom_new_object(), NULL).result, "remaining_ms", 0);
}

const phantom_error *phantom_sleep(double duration_ms) {
  return ask("sleep", phantom_set(phantom_new_object(), "duration_ms", phantom_new_number(duration_ms)), NULL).error;
}

const phantom_error *phantom_read_file(phantom_text path, phantom_text *bytes) {
  host_answer answer = ask("read_file", phantom_set(phantom_new_object(), "path", phantom_new_text(path)), NULL);
  *bytes = answer.bytes;
  return answer.error;
}

const phantom_error *phantom_write_file(phantom_text path, phantom_text bytes, bool append) {
  phantom_json *params = phantom_set(phantom_new_object(), "path", phantom_new_text(path));
  if (append) phantom_set(params, "append", phantom_new_boolean(true));
  return ask("write_file", params, &bytes).error;
}

const phantom_error *phantom_fetch(phantom_text url, phantom_json *options, phantom_text body, phantom_response *response) {
  phantom_json *params = options == NULL ? phantom_new_object() : options;
  phantom_set(params, "url", phantom_new_text(url));
  host_answer answer = ask("fetch", params, body.length > 0 ? &body : NULL);
  response->status = (int)phantom_get_number(answer.result, "status", 0);
  response->headers = phantom_get(answer.result, "headers");
  response->bytes = answer.bytes;
  return answer.error;
}

const phantom_error *phantom_send_message(phantom_text recipient, phantom_text type, const phantom_json *payload, phantom_text *id) {
  phantom_json *params = phantom_set(phantom_new_object(), "recipient", phantom_new_text(recipient));
  phantom_set(params, "type", phantom_new_text(type));
  phantom_text bytes = phantom_print(payload == NULL ? &none : payload);
  host_answer answer = ask("send_message", params, &bytes);
  if (id != NULL) *id = phantom_get_text(answer.result, "message_id");
  return answer.error;
}

bool phantom_environment(const char *name, phantom_text *value) {
  uint32_t count, bytes;
  if (environ_sizes_get(&count, &bytes) != 0) return false;
  char **pointers = take((count + 1) * sizeof(char *)), *texts = take(bytes + 1);
  if (environ_get(pointers, texts) != 0) return false;
  size_t length = phantom_text_of(name).length;
  for (uint32_t i = 0; i < count; i++) {
    phantom_text pair = phantom_text_of(pointers[i]);
    if (pair.length <= length || pair.data[length] != '=') continue;
    if (!phantom_equals((phantom_text){pair.data, length}, name)) continue;
    *value = (phantom_text){pair.data + length + 1, pair.length - length - 1};
    return true;
  }
  return false;
}

/* Requests of the host. */

phantom_context phantom_self = {.config = &none, .metadata = &none, .previous_state = &none};
static phantom_text execution_id_prefix;

static const phantom_operation *find_operation(phantom_text name) {
  for (size_t i = 0; i < phantom_plugin.operation_count; i++) {
    if (phantom_equals(name, phantom_plugin.operations[i].name)) return &phantom_plugin.operations[i];
  }
  return NULL;
}

static const phantom_message_handler *find_handler(phantom_text type) {
  for (size_t i = 0; i < phantom_plugin.message_count; i++) {
    if (phantom_equals(type, phantom_plugin.messages[i].type)) return &phantom_plugin.messages[i];
  }
  return NULL;
}

static void name_call(double id) {
  buffer written = {0};
  put(&written, execution_id_prefix);
  put_unsigned(&written, (uint64_t)id, 36);
  phantom_self.execution_id = phantom_join(&(phantom_text){written.data, written.length}, 1);
  phantom_free(written.data, 0);
}

static phantom_answer deliver(double id, const phantom_json *params, phantom_text payload) {
  phantom_message message = {
    .id = phantom_get_text(params, "message_id"),
    .type = phantom_get_text(params, "type"),
    .sender = phantom_get_text(params, "sender"),
    .is_of_application = !phantom_equals(phantom_get_text(params, "origin"), "plugin"),
  };
  const phantom_message_handler *handler = find_handler(message.type);
  if (handler == NULL) {
    return phantom_fail(phantom_new_error("operation_not_found", concat(TEXT("Cannot take \""), message.type, TEXT("\": there is no such message"))));
  }
  name_call(id);
  phantom_text failure;
  message.payload = payload.length == 0 ? &none : phantom_parse(payload, &failure);
  if (message.payload == NULL) {
    return phantom_fail(phantom_new_error("input_invalid", concat(TEXT("Cannot read the message: it is no JSON, "), failure, TEXT(""))));
  }
  const phantom_error *error = handler->take(&message);
  return error == NULL ? phantom_ok(&none) : phantom_fail(error);
}

static phantom_answer execute(double id, phantom_text name, phantom_text input) {
  const phantom_operation *operation = find_operation(name);
  if (operation == NULL) {
    return phantom_fail(phantom_new_error("operation_not_found", concat(TEXT("Cannot run \""), name, TEXT("\": there is no such operation"))));
  }
  name_call(id);
  if (operation->run_bytes != NULL) return operation->run_bytes(input);
  phantom_text failure;
  const phantom_json *value = input.length == 0 ? &none : phantom_parse(input, &failure);
  if (value != NULL) return operation->run(value);
  return phantom_fail(phantom_new_error("input_invalid", concat(TEXT("Cannot read the input: it is no JSON, "), failure, TEXT(""))));
}

/* A start that would fail in the same way again: nothing is gained by another attempt. */
static phantom_answer refusal(phantom_text message) {
  phantom_error *error = take(sizeof(phantom_error));
  *error = (phantom_error){TEXT("fault"), message, phantom_set(phantom_new_object(), "deterministic", phantom_new_boolean(true))};
  return phantom_fail(error);
}

static void set_level(phantom_text name) {
  for (int i = PHANTOM_DEBUG; i <= PHANTOM_ERROR; i++) {
    if (phantom_equals(name, levels[i])) least_level = (phantom_level)i;
  }
}

static const char *veto_of(const phantom_json *config) {
  return phantom_plugin.validate_config == NULL ? NULL : phantom_plugin.validate_config(config);
}

static phantom_text missing_in(const phantom_json *declared, bool is_message) {
  phantom_text missing = TEXT("");
  for (const phantom_json *one = declared->first; one != NULL; one = one->next) {
    phantom_text name = phantom_get_text(one, "name");
    if (is_message ? find_handler(name) != NULL : find_operation(name) != NULL) continue;
    missing = concat(missing, missing.length > 0 ? TEXT(", \"") : TEXT("\""), concat(name, TEXT("\""), TEXT("")));
  }
  return missing;
}

/* The operations that may be called are those that the manifest declares, or all, where it declares none. */
static phantom_json *callable_operations(const phantom_json *declared) {
  phantom_json *names = phantom_new_array();
  for (const phantom_json *one = declared->first; one != NULL; one = one->next) {
    phantom_push(names, phantom_new_text(phantom_get_text(one, "name")));
  }
  for (size_t i = 0; names->first == NULL || (declared->first == NULL && i < phantom_plugin.operation_count); i++) {
    if (i == phantom_plugin.operation_count) break;
    phantom_push(names, phantom_new_text(phantom_text_of(phantom_plugin.operations[i].name)));
  }
  return names;
}

static phantom_json *hooks_of_the_plugin(void) {
  const struct {
    const char *name;
    bool is_there;
  } hooks[] = {
    {"health", phantom_plugin.health != NULL},       {"validate_config", phantom_plugin.validate_config != NULL},
    {"configure", phantom_plugin.configure != NULL}, {"quiesce", phantom_plugin.quiesce != NULL},
    {"resume", phantom_plugin.resume != NULL},       {"export_state", phantom_plugin.export_state != NULL},
  };
  phantom_json *names = phantom_new_array();
  for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
    if (hooks[i].is_there) phantom_push(names, phantom_new_text(phantom_text_of(hooks[i].name)));
  }
  return names;
}

static phantom_json *types_of_messages(void) {
  phantom_json *types = phantom_new_array();
  for (size_t i = 0; i < phantom_plugin.message_count; i++) {
    phantom_push(types, phantom_new_text(phantom_text_of(phantom_plugin.messages[i].type)));
  }
  return types;
}

static void set_report(phantom_json *result, const char *name, const phantom_json *(*report)(void)) {
  if (report == NULL) return;
  phantom_json *copy = phantom_new_null();
  const phantom_json *value = report();
  if (value != NULL) *copy = *value;
  phantom_set(result, name, copy);
}

static phantom_answer initialize(const phantom_json *params) {
  const phantom_json *declared = phantom_get(params, "operations");
  phantom_text missing = missing_in(declared, false);
  if (missing.length > 0) return refusal(concat(TEXT("plugin.toml declares operations that the code lacks: "), missing, TEXT("")));
  missing = missing_in(phantom_get(params, "messages"), true);
  if (missing.length > 0) return refusal(concat(TEXT("plugin.toml declares messages that the code lacks: "), missing, TEXT("")));
  phantom_self = (phantom_context){
    .plugin_id = phantom_get_text(params, "plugin_id"),
    .plugin_version = phantom_get_text(params, "plugin_version"),
    .workspace = phantom_get_text(params, "workspace"),
    .data_dir = phantom_get_text(params, "data_dir"),
    .generation = (int)phantom_get_number(params, "generation", 0),
    .config = phantom_get(params, "config"),
    .metadata = phantom_get(params, "metadata"),
    .previous_state = phantom_get(params, "previous_state"),
  };
  execution_id_prefix = phantom_get_text(params, "execution_id_prefix");
  set_level(phantom_get_text(params, "log_level"));
  const char *veto = veto_of(phantom_self.config);
  if (veto != NULL) return refusal(concat(TEXT("its validate_config() refused the configuration: "), phantom_text_of(veto), TEXT("")));
  const phantom_error *error = phantom_plugin.initialize == NULL ? NULL : phantom_plugin.initialize();
  if (error != NULL) return phantom_fail(error);
  phantom_json *result = phantom_set(phantom_new_object(), "protocol_version", phantom_new_text(TEXT("1.2")));
  phantom_set(result, "operations", callable_operations(declared));
  phantom_set(result, "hooks", hooks_of_the_plugin());
  if (phantom_plugin.message_count > 0) phantom_set(result, "messages", types_of_messages());
  set_report(result, "metadata", phantom_plugin.metadata);
  set_report(result, "capabilities", phantom_plugin.capabilities);
  return phantom_ok(result);
}

static phantom_answer configure(const phantom_json *params, bool *is_applied) {
  set_level(phantom_get_text(params, "log_level"));
  const phantom_json *config = phantom_get(params, "config");
  if (phantom_plugin.configure != NULL) {
    const phantom_error *error = phantom_plugin.configure(config);
    if (error != NULL) return phantom_fail(error);
    phantom_self.config = config;
    *is_applied = true;
  }
  return ok_member("applied", phantom_new_boolean(*is_applied));
}

static phantom_answer run_hook(const phantom_error *(*hook)(void)) {
  const phantom_error *error = hook == NULL ? NULL : hook();
  return error == NULL ? phantom_ok(&none) : phantom_fail(error);
}

static phantom_answer answer_hook(phantom_text method, const phantom_json *params) {
  if (phantom_equals(method, "health")) return ok_member("health", phantom_plugin.health == NULL ? NULL : phantom_plugin.health());
  if (phantom_equals(method, "validate_config")) {
    const char *veto = veto_of(phantom_get(params, "config"));
    return ok_member("veto", veto == NULL ? NULL : phantom_new_text(phantom_text_of(veto)));
  }
  if (phantom_equals(method, "quiesce")) return run_hook(phantom_plugin.quiesce);
  if (phantom_equals(method, "resume")) return run_hook(phantom_plugin.resume);
  if (phantom_equals(method, "shutdown")) return run_hook(phantom_plugin.shutdown);
  if (phantom_equals(method, "export_state")) {
    return phantom_plugin.export_state == NULL ? phantom_ok(phantom_new_object()) : ok_member("state", phantom_plugin.export_state());
  }
  return phantom_fail(fault(concat(TEXT("Cannot answer \""), method, TEXT("\": this plugin does not know the method"))));
}

static void put_error(buffer *to, const phantom_error *error) {
  int code = 34001;
  for (size_t i = 0; i < sizeof(error_codes) / sizeof(error_codes[0]); i++) {
    if (phantom_equals(error->name, error_codes[i].name)) code = error_codes[i].code;
  }
  put(to, TEXT(",\"error\":{\"code\":-"));
  put_unsigned(to, (uint64_t)code, 10);
  put(to, TEXT(",\"message\":"));
  put_string(to, error->message);
  put(to, TEXT(",\"data\":{\"name\":"));
  put_string(to, error->name);
  if (error->details != NULL && error->details->kind == PHANTOM_OBJECT) {
    put(to, TEXT(",\"details\":"));
    put_json(to, error->details);
  }
  put(to, TEXT("}}}\n"));
}

static uint64_t write_answer(double id, phantom_answer answer, bool is_execution) {
  buffer frame = {0};
  reserve(&frame, answer.bytes.length + 128);
  put(&frame, TEXT("{\"jsonrpc\":\"2.0\",\"id\":"));
  put_unsigned(&frame, (uint64_t)id, 10);
  if (answer.error != NULL) put_error(&frame, answer.error);
  else if (!is_execution) {
    put(&frame, TEXT(",\"result\":"));
    put_json(&frame, answer.value);
    put(&frame, TEXT("}\n"));
  } else {
    /* The result of a call travels behind the line. */
    buffer payload = {0};
    if (answer.bytes.length == 0) put_json(&payload, answer.value);
    phantom_text bytes = answer.bytes.length > 0 ? answer.bytes : (phantom_text){payload.data, payload.length};
    put(&frame, TEXT(",\"result\":null,\"payload_bytes\":"));
    put_unsigned(&frame, bytes.length, 10);
    put(&frame, TEXT("}\n"));
    put(&frame, bytes);
    phantom_free(payload.data, 0);
  }
  return as_range(frame);
}

/* What `phantom_self` points into must outlive the request's bytes, which are its host's. */
static phantom_text own_copy(phantom_text line) { return phantom_join(&line, 1); }

EXPORT("phantom_abi_version") int phantom_abi_version(void) { return 1; }

EXPORT("phantom_handle") uint64_t phantom_handle(const char *pointer, size_t length) {
  size_t line = 0;
  while (line < length && pointer[line] != '\n') line += 1;
  phantom_text failure, behind = {pointer + line + 1, line < length ? length - line - 1 : 0};
  const phantom_json *request = phantom_parse(own_copy((phantom_text){pointer, line}), &failure);
  phantom_text method = phantom_get_text(request, "method");
  const phantom_json *params = phantom_get(request, "params");
  double id = phantom_get_number(request, "id", 0);
  uint64_t frame;
  chunk *done = NULL;
  if (phantom_equals(method, "execute")) {
    frame = write_answer(id, execute(id, phantom_get_text(params, "operation"), behind), true);
    done = arena;
  } else if (phantom_equals(method, "message")) {
    frame = write_answer(id, deliver(id, params, behind), false);
    done = arena;
  } else if (phantom_equals(method, "initialize")) {
    frame = write_answer(id, initialize(params), false);
    done = own_arena;
    own_arena = arena;
  } else if (phantom_equals(method, "configure")) {
    bool is_applied = false;
    frame = write_answer(id, configure(params, &is_applied), false);
    done = is_applied ? config_arena : arena;
    if (is_applied) config_arena = arena;
  } else {
    frame = write_answer(id, answer_hook(method, params), false);
    done = arena;
  }
  free_chunks(done);
  arena = NULL;
  return frame;
}
