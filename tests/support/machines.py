"""Machines at work at once, of which only the one moves that a test lets move: any interleaving, the same each time."""

from collections.abc import Callable
from threading import Semaphore, Thread

from remit.domain.errors import ConflictError, TransientError
from tests.fakes import MachineDiedError, Trouble


class Machine:
    """Something that runs when it is let, from one step of its scene to the next, and never while another machine does.

    It has a thread of its own for no other reason than to stop in the middle. It begins at once, up to its first step.
    """

    def __init__(self, trouble: Trouble, run: Callable[[], object]) -> None:
        self._trouble, self._run = trouble, run
        self._go, self._stopped = Semaphore(0), Semaphore(0)
        self._dies = False
        self._broken: BaseException | None = None
        self.next_step: str | None = None
        """The step that it stands before; None when it is over."""
        self.failed = False
        """Whether it ended in an error after which whoever started it tries again."""
        Thread(target=self._work, daemon=True).start()
        self._move()

    def go(self, steps: int) -> None:
        """Take so many steps, or as many as are left."""
        for _ in range(steps):
            if self.next_step:
                self._move()

    def go_until(self, step: str, times: int = 1) -> None:
        """Go on until it stands before a `step` for the `times`-th time, where it is included. It must come there."""
        met = int(self.next_step == step)
        while met < times:
            self._move()
            met += self.next_step == step
            if self.next_step is None:
                raise AssertionError(f"the machine was over before {step}")

    def finish(self) -> None:
        while self.next_step:
            self._move()

    def die(self) -> None:
        """Be gone before the next step."""
        self._dies = True
        self.finish()

    def _move(self) -> None:
        self._trouble.turn = self._stop_before
        self._go.release()
        self._stopped.acquire()
        self._trouble.turn = None
        if self._broken:
            raise self._broken

    def _stop_before(self, step: str) -> None:
        self.next_step = step
        self._stopped.release()
        self._go.acquire()
        if self._dies:
            raise MachineDiedError

    def _work(self) -> None:
        self._go.acquire()
        try:
            self._run()
        except (ConflictError, TransientError):
            self.failed = True
        except MachineDiedError:
            pass
        except BaseException as broken:  # noqa: BLE001 - it is raised again where the test is
            self._broken = broken
        self.next_step = None
        self._stopped.release()
