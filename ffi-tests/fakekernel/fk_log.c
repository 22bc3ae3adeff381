/* SPDX-License-Identifier: MIT OR Apache-2.0 */

/*
 * cmn_err(9F) with a log that is kept, formatted printing, panic, and the
 * record of violations.
 */

#include <sys/cmn_err.h>
#include <sys/debug.h>

#include "fk_impl.h"

#define	LINES	64
#define	TEXTS	32
#define	WIDTH	192

static fk_port_mutex_t lock;
static char lines[LINES][WIDTH];
static unsigned nlines;
static int echo;
static char texts[TEXTS][WIDTH];
static unsigned ntexts;
static uint64_t kinds[FK_V_KINDS];

typedef struct sink {
	char	*s_buf;
	size_t	s_size;
	size_t	s_len;
} sink_t;

static void
put(sink_t *s, char c)
{
	if (s->s_len + 1 < s->s_size)
		s->s_buf[s->s_len] = c;
	s->s_len++;
}

static void
put_field(sink_t *s, const char *text, size_t len, size_t width, int left,
    char fill)
{
	size_t i;

	for (i = len; !left && i < width; i++)
		put(s, fill);
	for (i = 0; i < len; i++)
		put(s, text[i]);
	for (i = len; left && i < width; i++)
		put(s, ' ');
}

static void
put_number(sink_t *s, u_longlong_t v, unsigned base, int negative,
    size_t width, int left, char fill)
{
	char digits[24];
	size_t i = sizeof (digits);

	do {
		digits[--i] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v != 0);
	if (negative && fill == '0') {
		put(s, '-');
		width -= width > 0;
	} else if (negative) {
		digits[--i] = '-';
	}
	put_field(s, digits + i, sizeof (digits) - i, width, left, fill);
}

/* %d %i %u %x %p %s %c %% with -, 0, width, .precision for %s, h l ll z. */
size_t
fk_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	sink_t s = { buf, size, 0 };

	for (; *fmt != '\0'; fmt++) {
		size_t width = 0, precision = SIZE_MAX, len;
		int left = 0, longs = 0;
		char fill = ' ', c;
		const char *str;
		longlong_t d;

		if (*fmt != '%') {
			put(&s, *fmt);
			continue;
		}
		for (fmt++; *fmt == '-' || *fmt == '0'; fmt++) {
			if (*fmt == '-')
				left = 1;
			else
				fill = '0';
		}
		for (; *fmt >= '0' && *fmt <= '9'; fmt++)
			width = width * 10 + (size_t)(*fmt - '0');
		if (*fmt == '.') {
			precision = 0;
			for (fmt++; *fmt >= '0' && *fmt <= '9'; fmt++) {
				precision = precision * 10 +
				    (size_t)(*fmt - '0');
			}
		}
		for (; *fmt == 'l' || *fmt == 'z' || *fmt == 'h'; fmt++)
			longs += *fmt != 'h';
		switch (*fmt) {
		case 'd':
		case 'i':
			d = longs ? va_arg(ap, long) : va_arg(ap, int);
			put_number(&s, d < 0 ? -(u_longlong_t)d :
			    (u_longlong_t)d, 10, d < 0, width, left, fill);
			break;
		case 'u':
		case 'x':
			put_number(&s, longs ? va_arg(ap, ulong_t) :
			    va_arg(ap, uint_t), *fmt == 'u' ? 10 : 16, 0,
			    width, left, fill);
			break;
		case 'p':
			put(&s, '0');
			put(&s, 'x');
			put_number(&s, (uintptr_t)va_arg(ap, void *), 16, 0,
			    0, 0, ' ');
			break;
		case 's':
			str = va_arg(ap, const char *);
			if (str == NULL)
				str = "(null)";
			for (len = 0; len < precision && str[len] != '\0'; )
				len++;
			put_field(&s, str, len, width, left, ' ');
			break;
		case 'c':
			c = (char)va_arg(ap, int);
			put_field(&s, &c, 1, width, left, ' ');
			break;
		case '%':
			put(&s, '%');
			break;
		default:
			/* An unknown conversion would desynchronise ap. */
			fk_port_write("fakekernel: bad format\n", 23);
			fk_port_abort();
		}
	}
	if (size > 0)
		buf[s.s_len < size ? s.s_len : size - 1] = '\0';
	return (s.s_len);
}

size_t
snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = fk_vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return (n);
}

void
fk_printf(const char *fmt, ...)
{
	char text[512];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = fk_vsnprintf(text, sizeof (text), fmt, ap);
	va_end(ap);
	fk_port_write(text, n < sizeof (text) ? n : sizeof (text) - 1);
}

void
vcmn_err(int level, const char *fmt, va_list ap)
{
	static const char *const prefix[] = {
		[CE_CONT] = "", [CE_NOTE] = "NOTICE: ",
		[CE_WARN] = "WARNING: ", [CE_PANIC] = "panic: ",
	};
	char text[WIDTH];
	size_t n;

	if (level == CE_IGNORE)
		return;
	/* '!' log only, '^' console only, '?' verbose boot: one log here. */
	if (*fmt == '!' || *fmt == '^' || *fmt == '?')
		fmt++;
	n = strlen(prefix[level]);
	(void) memcpy(text, prefix[level], n);
	(void) fk_vsnprintf(text + n, sizeof (text) - n, fmt, ap);

	fk_port_lock(&lock);
	(void) memcpy(lines[nlines++ % LINES], text, sizeof (text));
	fk_port_unlock(&lock);
	if (echo || level == CE_PANIC)
		fk_printf("%s\n", text);
	if (level == CE_PANIC)
		fk_port_abort();
}

void
cmn_err(int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vcmn_err(level, fmt, ap);
	va_end(ap);
}

void
panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vcmn_err(CE_PANIC, fmt, ap);
	va_end(ap);
	fk_port_abort();
}

void
assfail(const char *ex, const char *file, int line)
{
	panic("assertion failed: %s, file: %s, line: %d", ex, file, line);
}

void
fk_violation(int kind, const char *fmt, ...)
{
	char text[WIDTH];
	va_list ap;

	va_start(ap, fmt);
	(void) fk_vsnprintf(text, sizeof (text), fmt, ap);
	va_end(ap);
	FK_COUNT(violations, 1);
	fk_port_lock(&lock);
	kinds[kind]++;
	if (ntexts < TEXTS)
		(void) memcpy(texts[ntexts++], text, sizeof (text));
	fk_port_unlock(&lock);
	if (echo)
		fk_printf("violation: %s\n", text);
}

void
fk_wild(const char *function, const void *at)
{
	fk_violation(FK_V_ADDRESS, "%s: argument %p below kernelbase",
	    function, at);
}

uint64_t
fk_violations(int kind)
{
	uint64_t n = 0;
	int i;

	fk_port_lock(&lock);
	for (i = 0; i < FK_V_KINDS; i++) {
		if (kind < 0 || kind >= FK_V_KINDS || kind == i)
			n += kinds[i];
	}
	fk_port_unlock(&lock);
	return (n);
}

const char *
fk_violation_text(unsigned i)
{
	return (i < ntexts ? texts[i] : NULL);
}

void
fk_violations_clear(void)
{
	fk_port_lock(&lock);
	bzero(kinds, sizeof (kinds));
	ntexts = 0;
	fk_port_unlock(&lock);
}

unsigned
fk_log_count(void)
{
	return (nlines);
}

const char *
fk_log_line(unsigned i)
{
	unsigned first = nlines > LINES ? nlines - LINES : 0;

	return (first + i < nlines ? lines[(first + i) % LINES] : NULL);
}

static int
contains(const char *line, const char *text)
{
	size_t n = strlen(text);

	for (; *line != '\0'; line++) {
		if (strncmp(line, text, n) == 0)
			return (1);
	}
	return (n == 0);
}

unsigned
fk_log_find(const char *text)
{
	unsigned i, found = 0;

	fk_port_lock(&lock);
	for (i = 0; fk_log_line(i) != NULL; i++)
		found += contains(fk_log_line(i), text);
	fk_port_unlock(&lock);
	return (found);
}

void
fk_log_clear(void)
{
	fk_port_lock(&lock);
	nlines = 0;
	fk_port_unlock(&lock);
}

void
fk_log_echo(int on)
{
	echo = on;
}
