/* SPDX-License-Identifier: MIT */
/* Examines which Python finds which module. */
#include "doctor/findings.h"
#include "doctor/program.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Not in the directory where doctor was called, which may be anything. Prints the interpreter, and then the
 * module and its version, or why there is none; exit status 3 if it is simply not there. */
static const char question[] =
    "import sys\n"
    "sys.path = [place for place in sys.path if place]\n"
    "print(sys.executable)\n"
    "try:\n"
    "    import framebus\n"
    "    print(framebus.__path__[0], framebus.__version__)\n"
    "except Exception as error:\n"
    "    print(error)\n"
    "    missing = isinstance(error, ModuleNotFoundError) and error.name == 'framebus'\n"
    "    sys.exit(3 if missing else 4)\n";

/* Cuts a line off. */
static char *line_next(char **text)
{
    char *line = *text, *end = strchr(line, '\n');
    *text = end ? end + 1 : line + strlen(line);
    if (end)
        *end = 0;
    return line;
}

void examine_python(struct findings *findings)
{
    const char *const argv[] = {"python3", "-c", question, NULL};
    char output[1024] = "", *text = output;
    int status = program_run(argv, output, sizeof output);
    char *python = line_next(&text), *told = line_next(&text);
    if (status == -ENOENT) {
        findings_add(findings, FINDING_NOTE, "python",
                     "no python3: whether Python finds the module is not known");
    } else if (status == 0) {
        findings_add(findings, FINDING_OK, "python", "%s finds the module %s", python, told);
    } else if (status == 3) {
        findings_add(findings, FINDING_NOTE, "python", "%s finds no module framebus", python);
        if (access(PYTHON_DIRECTORY "/framebus/__init__.py", R_OK) == 0)
            findings_remedy(findings, "export PYTHONPATH=%s", PYTHON_DIRECTORY);
        else
            findings_remedy(findings, "install the package python3-framebus, or in a virtual environment: "
                                      "pip install --no-build-isolation ./python (from the source tree)");
    } else if (status == 4) {
        findings_add(findings, FINDING_PROBLEM, "python", "%s cannot import framebus: %s", python, told);
        findings_remedy(findings, "install module and library from the same release");
    } else {
        findings_add(findings, FINDING_NOTE, "python", "python3 does not work");
    }
}
