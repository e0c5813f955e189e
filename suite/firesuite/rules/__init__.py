"""Firestore security rules, tested like code.

| module | what |
| --- | --- |
| `plugin` | the pytest plugin: fixtures, options, terminal summary |
| `client`, `tokens`, `values`, `queries`, `writes` | a caller and his requests over gRPC |
| `engine` | fireemu or Google's emulator, and what each can tell of its decisions |
| `tables`, `cells` | whole matrices of path x operation x caller |
| `source`, `scanner`, `expressions`, `parser`, `check`, `syntax`, `unparse` | the rules language |
| `trace`, `explain` | why a request was allowed or denied |
| `coverage`, `coverage_html` | which expressions the tests evaluated |
| `mutants`, `mutate` | what the tests would not notice |
| `lint` | what is wrong on sight |
| `cli` | `firesuite rules ...` |
"""
