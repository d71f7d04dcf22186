import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AGENT, buildProgram } from '../../../infra/program/program.ts'
import { withoutOffer, withoutRemarks } from '../../../infra/program/python-source.ts'

/**
 * Python's own opinion: both parse to the same tree but for idle strings and types, none of these is left, nor a comment, nor a
 * line break that ends nothing; and a namedtuple has the fields and defaults of the NamedTuple that it stands for.
 */
const JUDGE = `
import ast, io, json, sys, tokenize

def is_idle(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)

def bodies(tree):
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            if isinstance(getattr(node, name, None), list):
                yield node, name, getattr(node, name)

def is_for_checkers(node):
    if isinstance(node, ast.ImportFrom) and node.module in ("typing", "__future__"):
        return True
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == "TypeVar":
        return True
    if isinstance(node, ast.ImportFrom) and node.module == "collections":
        return [each.name for each in node.names] == ["namedtuple"]
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"

def is_of_class(node):
    return isinstance(node.annotation, ast.Subscript) and getattr(node.annotation.value, "id", "") == "ClassVar"

def types(tree):
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.returns is not None:
            yield node, "returns"
        if isinstance(node, ast.arg) and node.annotation is not None:
            yield node, "annotation"
        if isinstance(node, ast.AnnAssign) and node.value:
            yield node, "annotation"

def fields(node):
    return [each for each in node.body if isinstance(each, ast.AnnAssign) and not is_of_class(each)]

def call_of(node):
    """The call of namedtuple for a NamedTuple."""
    names = " ".join(each.target.id for each in fields(node))
    defaults = [each.value for each in fields(node) if each.value]
    keywords = [ast.keyword("defaults", ast.List(defaults, ast.Load()))] if defaults else []
    return ast.Call(ast.Name("namedtuple", ast.Load()), [ast.Constant(node.name), ast.Constant(names)], keywords)

def plain(base):
    return base.value if isinstance(base, ast.Subscript) else base

def untyped(node):
    if isinstance(node, ast.AnnAssign) and node.annotation is None:
        return ast.Assign(targets=[node.target], value=node.value, type_comment=None)
    return node

def bare(text):
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            is_record = [getattr(base, "id", "") for base in node.bases] == ["NamedTuple"]
            gone = fields(node) if is_record else [each for each in fields(node) if not each.value]
            node.bases = [call_of(node)] if is_record else [plain(base) for base in node.bases if getattr(plain(base), "id", "") != "Generic"]
            node.body = [each for each in node.body if each not in gone]
    for node, name in types(tree):
        setattr(node, name, None)
    for node, name, body in bodies(tree):
        kept = [untyped(each) for each in body if not is_for_checkers(each) and not is_idle(each)]
        is_block = not isinstance(node, ast.Module) and (name == "body" or bool(body))
        setattr(node, name, kept or [ast.Pass() for _ in range(is_block)])
    return ast.dump(tree)

def broken(text):
    """Line breaks within brackets, but for those in strings."""
    return sum(token.type == tokenize.NL for token in tokenize.generate_tokens(io.StringIO(text).readline))

def wide(text):
    level, found = 0, 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        level += (token.type == tokenize.INDENT) - (token.type == tokenize.DEDENT)
        found += token.type == tokenize.INDENT and len(token.string) > level
    return found

def comments(text):
    return sum(token.type == tokenize.COMMENT for token in tokenize.generate_tokens(io.StringIO(text).readline))

def judge(source, delivered):
    return {
        "same": bare(source) == bare(delivered),
        "idle": sum(is_idle(each) for _, _, body in bodies(ast.parse(delivered)) for each in body),
        "remarks": comments(delivered) + broken(delivered),
        "types": sum(1 for _ in types(ast.parse(delivered))) + sum(map(delivered.count, ("TYPE_CHECKING", "typing", "__future__"))),
        "wide": wide(delivered),
    }

for line in sys.stdin:
    try:
        print(json.dumps(judge(*json.loads(line))), flush=True)
    except Exception as error:
        print(json.dumps({"error": repr(error)}), flush=True)
`
const NOTHING_LOST = { same: true, idle: 0, remarks: 0, types: 0, wide: 0 }

/** One Python for all: to start it takes longer than to judge. */
let python: ChildProcessByStdio<Writable, Readable, null>
let answers: AsyncIterator<string>
beforeAll(() => {
  python = spawn('/usr/bin/python3', ['-I', '-c', JUDGE], { stdio: ['pipe', 'pipe', 'inherit'] })
  answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]()
})
afterAll(() => python.stdin.end())

async function judge(source: string, delivered: string): Promise<unknown> {
  python.stdin.write(`${JSON.stringify([source, delivered])}\n`)
  return JSON.parse((await answers.next()).value)
}

describe('a source without its remarks and types', () => {
  it.each(buildProgram().sources)('is the same program: $path', async ({ path, text }) => {
    expect(await judge(readFileSync(`${AGENT}${path}`, 'utf8'), text)).toEqual(NOTHING_LOST)
  })

  it.each([
    ['nothing', ''],
    ['a docstring alone', '"""Only this."""'],
    ['a comment without a line end', 'x = 1 # one'],
    ['strings that look like comments', 'x = "# no"\ny = \'# no\'  # yes\nz = """\n# no\n\n"""\n'],
    [
      'quotes in strings',
      'a = "it\'s"\nb = \'say "x" # no\'\nc = """a "" b \\""" c"""\nd = \'\'\'"""\'\'\'\n',
    ],
    ['escaped ends', 'a = "\\\\"  # yes\nb = r"\\"  # no"\nc = \'\\\'# no\'\nd = b"\\"# no"\n'],
    ['empty strings', 'a = ""\nb = \'\'  # yes\nc = ""  ""  # yes\nd = """""" + \'\'\'\'\'\'  # yes\n'],
    ['prefixes of every kind', 'a = [r"#", R"#", u"#", b"#", rb"#", bR"#", f"#", fr"{1}#", Rf"#"]\n'],
    ['formatted strings', 'x = f"{1:>{2}}# no"\ny = f\'{"#"}\'  # yes\n'],
    [
      "a formatted or a bytes string in a docstring's place",
      'def f():\n    f"no {1}"\ndef g():\n    b"no"\n',
    ],
    ['a string that goes on in the next line', 'a = "one \\\n# no"\n'],
    [
      'docstrings as whole bodies',
      'class A:\n    """Doc."""\n\n\ndef f():\n    "doc"\n    # why\nasync def g(): """doc"""\n',
    ],
    [
      'docstrings before code',
      'def f(a: "int" = 1) -> "str":\n    """Doc.\n\n    # no comment\n    """\n    return ""\n',
    ],
    ['joined docstrings', 'def f():\n    "one" \'two\' \\\n    """three"""\n    return 1\n'],
    [
      'docstrings and more in one line',
      'def f(): "doc"; return 1\nclass A: "doc";\ndef g():\n    "doc"; x = 1; return x\n',
    ],
    [
      'strings that begin an expression',
      'def f():\n    "a".upper()\ndef g():\n    "a" "b" + "c"\nclass A: "a"[0]\n',
    ],
    [
      'strings that are statements elsewhere',
      'x = 1\n"no docstring"\nif x:\n    "nor this"\nelse:\n    """nor\nthat"""\n    "as well"\n\nclass A:\n    a: int\n    """Of a."""\n    b: int = 1\n    """Of b."""\n',
    ],
    [
      'two strings as a whole body',
      'def f():\n    "doc"\n    "no docstring"\ndef g():\n    "doc"\n    "x"\n    return 1\n',
    ],
    [
      'types of variables',
      'a: int = 1\ndef f(self):\n    b: dict[str, int] = {}\n    self.c.d: "x=1" = b == a\n    e: int\n    for x in y:\n        z: A[\n            B\n        ] = x; w = 3\n    class B:\n        x: int = 1\n        def g(self):\n            y: int = 2\n',
    ],
    [
      'colons and signs that are no type',
      'try: x = 1\nexcept: x = 2\nelse: x = 3\nfinally: x = 4\nif x: y = 5\na[1:2] = b\nf(lambda: 1, c=2)\nwhile x: x = 0\n',
    ],
    [
      'definitions within definitions',
      'class A:\n    "doc"\n    class B:\n        "doc"\n    def f(self):\n        "doc"\n        def g(): "doc"\n',
    ],
    [
      'decorators and comments between',
      '@property  # why\n# how\ndef f():\n\n    # what\n    """Doc."""\n    return 1\n',
    ],
    [
      'brackets over lines',
      'x = [  # one\n\n    1,  # two\n\n    # three\n    2,\n]\ndef f(\n    a,  # first\n) -> int:\n    """Doc."""\n',
    ],
    [
      'colons in brackets',
      'def f(a={1: 2}, b=(3, {4: 5}), *, c: "x[1:2]" = 4) -> "d":\n    "doc"\n    return a[1:2]\n',
    ],
    [
      'types of every kind of parameter',
      'async def f(a: A, /, b: B[C, D] = {1: [2]}, *c: E, d: "x=1, y: 2" = (3, 4), e: F, **g: H) -> I[J, K]:\n    return 1\n',
    ],
    [
      'types over lines',
      'def f(\n    a: A[\n        B, C\n    ],\n    b: D = 1,\n) -> E[\n    F\n]: return a\n',
    ],
    ['functions without a type', 'def f(): return 1\nclass A:\n    def f(self, *, a, b=1): pass\n'],
    ['types that a class has', 'class A(NamedTuple):\n    a: int\n    b: dict[str, int] = {}\n'],
    [
      'blocks for type checkers within others',
      'class A:\n    x = 1\n    if TYPE_CHECKING:\n        def f(self) -> int: ...\n\n        y: int\n    def g(self):\n        if TYPE_CHECKING:\n            z = 1\n        return 2\nif TYPE_CHECKING:\n    import a\n',
    ],
    [
      'imports for type checkers',
      'import a\nif TYPE_CHECKING:\n    import b\n\n    class C(Protocol):\n        def f(self) -> int: ...\n\n\nx = 1\nif x:\n    import d\n',
    ],
    ['the import of their name', 'from typing import TYPE_CHECKING\nx = 1\n'],
    [
      'their name beside others',
      'from typing import TYPE_CHECKING, Generic, TypeVar\nS = TypeVar("S", bound="A[B]")\nx = 1\n',
    ],
    [
      'what classes are of',
      'class A(Generic[S]):\n    x = 1\nclass B(A["C"], dict[str, list[int]]):\n    y = 2\nclass C: pass\nclass D():\n    z = 1\n',
    ],
    [
      'fields of a class',
      'class A:\n    a: int\n    "Of it."\nclass B:\n    a: int = 1\n    b: "x=1"\n    c = 2\n    class C(NamedTuple):\n        d: int\n        e: f[g, h] = (1, [2])\n        "Of it."\n    def f(self): return 1\n',
    ],
    ['a lambda elsewhere', 'x = f(lambda y, z=1: y)\ndef g(a: int):\n    return lambda: a\n'],
    [
      "types of a class's own variables",
      'class A(NamedTuple):\n    a: int = 1\n    b: ClassVar[str] = "x"\n    c: ClassVar[B[C, D]] = ()\n',
    ],
    ['joined lines', 'x = 1 + \\\n    2\ny = 1 \\\n\nz = [1, \\\n  2]\nif x and \\\n   y:\n    pass\n'],
    ['trailing spaces and odd indentation', 'if 1:   \n  x = 1   # a\n  if x:\n         y = 2  \n'],
    ['names that begin as definitions do', 'definition = 1\nclassic = 2\n"no docstring"\n'],
    [
      'words and operators',
      'x = 0x1F + 1_000.5e-3j if not 1 else ~2 ** -3 // 4 @ 5\ny: int = 3; z = x is y\nw = (a := 1) != 2\n',
    ],
    ['letters of other alphabets where only a reader sees them', '"""…"""\nx = 1  # ü\n'],
  ])('is the same program: %s', async (_, source) => {
    expect(await judge(source, withoutRemarks(source, 'sample.py'))).toEqual(NOTHING_LOST)
  })

  it.each([
    'access_key: str\n    origin: int',
    'a: int\n    b: tuple[int, int] = (1, 2)\n    c: dict[str, str] = {"=": ":"}  # why',
  ])('has records of the same fields and defaults: %s', (body) => {
    const source = `from typing import NamedTuple\n\n\nclass A(NamedTuple):\n    """Doc."""\n\n    ${body}\n    """Of it."""\n\n    def f(self):\n        return self\n`
    const tell = 'print(A._fields, A._field_defaults, A.__mro__[-2:], A(*range(len(A._fields))).f())'
    const said = [source, withoutRemarks(source, 'sample.py')].map(
      (text) =>
        spawnSync('/usr/bin/python3', ['-I', '-'], { input: `${text}${tell}`, encoding: 'utf8' }).stdout,
    )
    expect(said[0]).toMatch(/^\(/)
    expect(said[1]).toBe(said[0])
  })

  it.each([
    ['a string without its end', 'x = 1\ny = "abc\n', /whole tokens .* line 2/],
    ['a long string without its end', 'x = """abc\n"', /whole tokens .* line 1/],
    ["a backslash at no line's end", 'x = 1 \\ 2\n', /whole tokens/],
    ['brackets without their end', 'x = (1,\n', /brackets .* line 1/],
    ['brackets without their beginning', 'x = 1)\n', /brackets .* line 1/],
    ['a carriage return, which ends a comment', 'x = 1 # one\rimport y\n', /no control character .* line 1/],
    ['a tab', 'if x:\n\ty = 1\n', /no control character .* line 2/],
    ['letters of other alphabets', 'x = "ü"\n', /ASCII .* line 1/],
    ['a docstring that the program reads', '"""Help."""\nprint(__doc__)\n', /reads no docstring .* line 2/],
    ['another use of it', 'if not TYPE_CHECKING:\n    x = 1\n', /alone in sample.py, line 1/],
    [
      'a lambda, whose colon and comma look like those of parameters',
      'def f(a: int, b=lambda x, y: x): ...\n',
      /no lambda .* line 1/,
    ],
    ['more of typing', 'from typing import Final\n', /of typing alone in sample.py, line 1/],
    ['a record that is something else too', 'class A(B, NamedTuple):\n    a: int\n', /only base .* line 1/],
    ['a type that the program reads', 'def f(a: int): ...\nprint(f.__annotations__)\n', /no types .* line 2/],
  ])('is refused: %s', (_, source, reason) => {
    expect(() => withoutRemarks(source, 'sample.py')).toThrow(reason)
  })
})

describe('a source without what it offers', () => {
  const before = 'import a\nclass A:\n b = a\n'
  const after = 'def f():\n class A: pass\nKEYS = A\n'

  it('lacks that class, whatever its strings look like, and its name', () => {
    const offer = 'class B(A):\n c = """\nclass A:\n"""\n def f(self):\n  pass\n'
    expect(withoutOffer(`${before}${offer}${after}STAPLES = B\n`, 'STAPLES', 'sample.py')).toBe(
      before + after,
    )
  })

  it('lacks the imports of which nothing else has a name, and keeps those with one, in a formatted string too', () => {
    const kept = 'from __future__ import annotations\nimport a\nfrom .m import c, d\nfrom .n import e\n'
    const idle = 'import os\nfrom .o import k, g\n'
    const own = 'class A:\n h = a, d, f"{e}"\nKEYS = A\n'
    const offer = 'class B(k):\n i = os, g, c\nSTAPLES = B\n'
    expect(withoutOffer(kept + idle + own + offer, 'STAPLES', 'sample.py')).toBe(kept + own)
  })

  it('is the same where it offers nothing by that name', () => {
    expect(withoutOffer(before + after, 'STAPLES', 'sample.py')).toBe(before + after)
  })
})
