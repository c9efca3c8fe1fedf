"""Kills the ledger with -9 in the midst of its work, again and again, and keeps books beside it.

  ledger_test.py <ledger binary>
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading


class Ledger:
    """A running ledger."""

    def __init__(self, binary, directory):
        self.process = subprocess.Popen(
            [binary, directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.entries = int(self.process.stdout.readline().split()[1])

    def ask(self, line):
        """The answer, or None if it died first."""
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        return self.process.stdout.readline().rstrip("\n") or None

    def kill_after(self, seconds):
        threading.Timer(seconds, self.process.send_signal, [signal.SIGKILL]).start()

    def end(self):
        self.process.stdin.close()
        return self.process.wait()


def check(condition, text):
    if not condition:
        sys.exit("FAILED: " + text)


def main():
    binary = os.path.abspath(sys.argv[1])
    randomness = random.Random(7)
    booked = 0  # acknowledged
    balance = 0
    with tempfile.TemporaryDirectory() as directory:
        unknown = None  # what was asked for last, and not answered
        for _ in range(8):
            ledger = Ledger(binary, directory)
            # The entry whose answer the kill cut off is there, or not.
            check(ledger.entries in (booked, booked + (unknown is not None)),
                  f"{ledger.entries} entries, {booked} were acknowledged")
            if ledger.entries > booked:
                booked, balance = booked + 1, balance + unknown
            unknown = None
            check(ledger.ask("balance alice") == str(balance), "another balance")
            ledger.kill_after(randomness.uniform(0.01, 0.15))
            while True:
                amount = randomness.randint(1, 100)
                answer = ledger.ask(f"deposit alice {amount}")
                if answer is None:
                    unknown = amount
                    break
                booked, balance = booked + 1, balance + amount
                check(answer == f"ok {balance}", f"{answer} instead of ok {balance}")
            ledger.process.wait()
        check(booked > 100, f"only {booked} entries in all")

        ledger = Ledger(binary, directory)
        other = subprocess.run([binary, directory], capture_output=True, text=True, check=False)
        check(other.returncode == 1 and "in use by another cluster" in other.stderr, other.stderr)
        ledger.ask("deposit bob 5")
        check(ledger.ask("withdraw bob 7") == "refused: bob has 5", "more than there is")
        check(ledger.ask("withdraw bob 5") == "ok 0", "all there is")
        for nonsense in ("deposit bob", "deposit bob -5", "deposit bob 5 6", "steal bob 5", ""):
            check(ledger.ask(nonsense).startswith("not understood: "), nonsense)
        check(ledger.end() == 0, "it did not end well")
    print(f"{booked} entries survived 8 kills")


if __name__ == "__main__":
    main()
