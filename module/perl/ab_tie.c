/* Licensed under the Apache License, Version 2.0; see LICENSE. */

/* Scalars that read and write one number of a row. Each has magic that keeps the row's id and the field, and no
 * address: perl copies that with an interpreter, and the copy reads and writes the same row. */

#include "ab.h"

#include <limits.h>

typedef enum kind { NUMBER, TIME, NAME, CONTACT, ARRIBA } kind;

static const struct field {
    const char *name;
    size_t offset; /* of a number in a serverstat */
    kind kind;
} fields[] = {
#define OF(name) {#name, offsetof(serverstat, name), NUMBER}
    OF(arriba),
    OF(aservers),
    OF(nservers),
    OF(load),
    OF(load_hwm),
    OF(cpu),
    OF(ncpu),
    OF(tmem),
    OF(amem),
    OF(numbacked),
    OF(tatime),
    {"mtime", offsetof(serverstat, mtime), TIME},
    {"hostname", 0, NAME},
    {"contact", 0, CONTACT},
    {NULL, 0, ARRIBA}};
/* Those of a row. The last one is mod_backhand_personal_arriba, which is of none. */
#define FIELDS ((int)C_ARRAY_LENGTH(fields) - 1)

/* mg_ptr is a number here: the id and the field. perl leaves it alone, because mg_len is 0. */
static IV place_of(IV id, IV field) { return id * (FIELDS + 1) + field; }
static const struct field *field_of(const MAGIC *magic) { return &fields[PTR2IV(magic->mg_ptr) % (FIELDS + 1)]; }
static IV id_of(const MAGIC *magic) { return PTR2IV(magic->mg_ptr) / (FIELDS + 1); }

static void *address_of(pTHX_ const MAGIC *magic) {
    if (field_of(magic)->kind == ARRIBA) return ab_table_arriba(aTHX);
    return (char *)&ab_table(aTHX)[id_of(magic)] + field_of(magic)->offset;
}

/* The texts are those of the extended row, because the moderator may be writing the public one's. */
static void read_text(pTHX_ SV *value, const MAGIC *magic) {
    const bh_row_t *row = bh_segment_row(ab_segment(aTHX), (uint32_t)id_of(magic));
    bh_facts_t facts;
    if (!bh_row_heard(row) || !bh_row_copy(row, &facts)) sv_setpvs(value, "");
    else if (field_of(magic)->kind == NAME) sv_setpv(value, facts.hostname);
    else sv_setsv(value, sv_2mortal(ab_contact(aTHX_ & facts)));
}

static int read_value(pTHX_ SV *value, MAGIC *magic) {
    kind kind = field_of(magic)->kind;
    if (kind == NAME || kind == CONTACT) read_text(aTHX_ value, magic);
    else if (kind == TIME) sv_setiv(value, (IV) * (time_t *)address_of(aTHX_ magic));
    else sv_setiv(value, bh_public_load(address_of(aTHX_ magic)));
    return 0;
}

/* Writes the nearest number that there is room for; what is not a number counts as 0. The scalar has it: reading that
 * with its magic would bring the old one back. */
static int write_value(pTHX_ SV *value, MAGIC *magic) {
    const struct field *field = field_of(magic);
    if (field->kind == NAME || field->kind == CONTACT) croak("%s of serverstats can only be read", field->name);
    NV number = SvNV_nomg(value), most = field->kind == TIME ? 1e15 : INT_MAX;
    number = number != number ? 0 : number > most ? most : number < -most ? -most : number;
    if (field->kind == TIME) *(time_t *)address_of(aTHX_ magic) = (time_t)number;
    else bh_public_store(address_of(aTHX_ magic), (int)number);
    return 0;
}

static const MGVTBL vtable = {.svt_get = read_value, .svt_set = write_value};

static SV *tied(pTHX_ IV id, IV field) {
    SV *value = newSViv(0);
    sv_magicext(value, NULL, PERL_MAGIC_ext, &vtable, INT2PTR(const char *, place_of(id, field)), 0);
    return value;
}

SV *ab_tied_rows(pTHX) {
    (void)ab_segment(aTHX);
    AV *rows = newAV();
    av_extend(rows, MAXSERVERS - 1);
    for (int id = 0; id < MAXSERVERS; id++) {
        HV *row = newHV();
        for (int i = 0; i < FIELDS; i++)
            (void)hv_store(row, fields[i].name, (I32)strlen(fields[i].name), tied(aTHX_ id, i), 0);
        av_push(rows, newRV_noinc((SV *)row));
    }
    return newRV_noinc((SV *)rows);
}

SV *ab_load_personal_arriba(pTHX) {
    (void)ab_table_arriba(aTHX);
    return newRV_noinc(tied(aTHX_ 0, FIELDS));
}
