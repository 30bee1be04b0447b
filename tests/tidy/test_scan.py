"""Proof of the reader: what it takes for code, comment, function and field."""

from __future__ import annotations

from tests.tidy.scan import code_of, comments_of, fields_of, functions_of


def test_code_keeps_lines_and_columns() -> None:
    text = 'a = "x # y"  # z\n"""more\n# lines"""\nb = 1\n'
    code = code_of(text)
    assert [len(line) for line in code.split("\n")] == [len(line) for line in text.split("\n")]
    assert "#" not in code and "lines" not in code and "b = 1" in code


def test_escaped_quotes_and_c_characters_end_where_they_end() -> None:
    assert code_of("x = c'\\'' + y") == "x =       + y"
    assert code_of(r'f("\"") # "') == "f(    )    "


def test_comments_tell_whether_they_stand_alone() -> None:
    found = list(comments_of('x = "# no"\n# one\ny = 1  # two\n'))
    assert [(c.line, c.text, c.alone) for c in found] == [(2, "one", True), (3, "two", False)]


def test_functions_are_found_with_their_extent() -> None:
    body = "    x = a\n\n    return x\n\n\ny = 1\n"
    code = "cdef int f(int a,\n           int b) noexcept nogil:\n" + body
    (f,) = functions_of(code)
    assert (f.name, f.first, f.last, f.declared, f.nogil) == ("f", 1, 5, False, True)
    assert f.parameters == ["int a", "int b"]


def test_declarations_have_no_body() -> None:
    (f,) = functions_of("cdef void f(int a) noexcept nogil\ncdef int g\n")
    assert f.declared and f.last == 1


def test_methods_nested_functions_and_inline_functions_are_found() -> None:
    code = (
        "cdef class A:\n    cdef int m(self, int a) except -1:\n        return a\n"
        "def outer():\n    def inner(x):\n        return x\n    return inner\n"
        "cdef inline bint h(const t* p) noexcept nogil:\n    return True\n"
    )
    found = {f.name: f for f in functions_of(code)}
    assert list(found) == ["m", "outer", "inner", "h"]
    assert found["m"].parameters == ["int a"]
    assert found["outer"].lines == 4


def test_variables_structs_and_pointers_are_no_functions() -> None:
    code = (
        "cdef struct s:\n    int (*call)(int a) noexcept nogil\n"
        "cdef int x = f(1)\ncdef size_t y = sizeof(t)\ncdef enum:\n    A = 1\n"
        "cdef void (*callback)(int a) noexcept nogil\n"
        'cdef extern from "<a.h>" nogil:\n    pass\n'
    )
    assert [f.name for f in functions_of(code)] == []


def test_a_callback_among_the_parameters_is_one_parameter() -> None:
    (f,) = functions_of("cdef void f(int (*g)(int, int), int[2] h) noexcept nogil\n")
    assert len(f.parameters) == 2


def test_fields_have_the_comment_behind_or_above_them() -> None:
    text = (
        "cdef struct s:\n"
        "    int a\n"
        "    char* b       # own: bytes\n"
        "    # static\n"
        "    void (*c)(int x,\n"
        "              int y) noexcept nogil\n"
        "cdef int not_a_field\n"
    )
    found = [(f.line, f.struct, f.comment) for f in fields_of(text)]
    assert found == [(2, "s", ""), (3, "s", "own: bytes"), (5, "s", "static")]
