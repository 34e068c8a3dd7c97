"""What the commands that ask language models have in common: options, endpoint, store, limits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from pluristats.errors import GenerateError

if TYPE_CHECKING:
    from pluristats.llm import Asker, ChatClient, Endpoint, Estimate, Limits, ResponseStore, Run

Model = Annotated[str, typer.Option("--model", help="Model, as the endpoint knows it.")]
BaseUrl = Annotated[
    str,
    typer.Option("--base-url", help="OpenAI-compatible address, such as https://api.openai.com/v1.", metavar="URL"),
]
Simulated = Annotated[bool, typer.Option("--simulated", help="Ask the embedded endpoint, whose answers are made up.")]
Store = Annotated[
    Path | None,
    typer.Option("--store", help="Where answers are kept; OUT with .answers.sqlite by default.", metavar="FILE"),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be sent and cost; send nothing.")]
Resume = Annotated[
    bool, typer.Option("--resume/--no-resume", help="Go on with the store; --no-resume refuses one with answers.")
]
Collect = Annotated[bool, typer.Option("--collect", help="Write what the store holds; send nothing.")]
Batch = Annotated[bool, typer.Option("--batch", help="Ask by the Batch API: half the price, within 24 hours.")]
BatchEvery = Annotated[float, typer.Option("--batch-every", help="Seconds between looks at batches.")]
Prices = Annotated[
    Path | None,
    typer.Option(
        "--prices", help="YAML of prices a million tokens: 'MODEL: {input: 2.5, output: 10}'.", metavar="FILE"
    ),
]
MaxCost = Annotated[float | None, typer.Option("--max-cost", help="Hard budget of everything in the store.")]
MaxRequests = Annotated[int | None, typer.Option("--max-requests", help="The same in requests.")]
Concurrency = Annotated[int, typer.Option("--concurrency", help="Requests in flight at once.")]
RequestsPerMinute = Annotated[float | None, typer.Option("--requests-per-minute", help="Rate limit.")]
TokensPerMinute = Annotated[float | None, typer.Option("--tokens-per-minute", help="Rate limit.")]
Temperature = Annotated[float | None, typer.Option("--temperature", help="The endpoint's own by default.")]
Seed = Annotated[int, typer.Option("--seed", help="Of the endpoint's random numbers.")]
Deadline = Annotated[float, typer.Option("--deadline", help="Seconds that one answer may take.")]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Ask again what failed for good in an earlier run.")]
KeyVariable = Annotated[str, typer.Option("--key-variable", help="Environment variable of the API key.")]
NoKey = Annotated[bool, typer.Option("--no-key", help="The endpoint asks for no key.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that hold something else.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on stdout.")]


@dataclass(frozen=True)
class Asking:
    """Whom to ask, where answers are kept, and what may be spent.

    Parameters
    ----------
    endpoint, store, limits
        Of the client.
    batch, batch_every
        Ask by the Batch API, and how often to look.
    retry_failed
        Ask again what failed for good in an earlier run.
    """

    endpoint: Endpoint
    store: ResponseStore
    limits: Limits
    batch: bool
    batch_every: float
    retry_failed: bool

    def client(self, model: str = "", base_url: str = "") -> ChatClient:
        """A client of the endpoint, or of another model or address beside it."""
        from dataclasses import replace

        from pluristats.llm import ChatClient

        changed: dict[str, Any] = {"model": model} if model else {}
        changed |= {"base_url": base_url, "name": ""} if base_url else {}
        return ChatClient(replace(self.endpoint, **changed), self.store, self.limits, retry_failed=self.retry_failed)

    def asker(self, model: str = "", base_url: str = "") -> Asker:
        """What sends requests: the client, or its batches."""
        from pluristats.llm import BatchRunner

        client = self.client(model, base_url)
        return BatchRunner(client, every=self.batch_every) if self.batch else client


@dataclass(frozen=True)
class Whom:
    """Options that every command has which asks models: whom, how, and what may be spent; each field is one.

    A command takes one parameter ``whom`` in their place and is decorated with :func:`with_options`.
    """

    model: Model = ""
    base_url: BaseUrl = ""
    simulated: Simulated = False
    batch: Batch = False
    batch_every: BatchEvery = 60.0
    prices: Prices = None
    max_cost: MaxCost = None
    max_requests: MaxRequests = None
    concurrency: Concurrency = 16
    requests_per_minute: RequestsPerMinute = None
    tokens_per_minute: TokensPerMinute = None
    deadline: Deadline = 300.0
    retry_failed: RetryFailed = False
    key_variable: KeyVariable = "OPENAI_API_KEY"
    no_key: NoKey = False

    @contextmanager
    def asking(
        self, answers: Path, *, seed: int, resume: bool = True, silent: bool = False, anybody: bool = True
    ) -> Iterator[Asking]:
        """Open the store, start the embedded endpoint where it is wanted, and give what asks.

        Parameters
        ----------
        answers
            The store.
        seed
            Of the embedded endpoint.
        resume
            Whether the store may hold answers already.
        silent
            Nothing will be sent.
        anybody
            False where no model is asked for anything, so that no endpoint need be named.
        """
        if not resume and answers.exists():
            raise GenerateError(
                f"{answers} holds an earlier run's answers; leave --no-resume out, or name another --store"
            )
        limits = self._limits()
        silent = silent or not anybody
        if self.simulated or not anybody:
            endpoint = _simulated(seed, self.model, silent)
        else:
            endpoint = _given(self.base_url, self.model, self.key_variable, self.no_key)
        with endpoint as known, _opened(answers, may_make=not silent) as kept:
            every = 0.2 if self.simulated else self.batch_every
            yield Asking(known, kept, limits, self.batch, every, self.retry_failed)

    def _limits(self) -> Limits:
        from pluristats.llm import Limits, load_prices

        return Limits(
            concurrency=self.concurrency,
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            deadline=self.deadline,
            max_cost=self.max_cost,
            max_requests=self.max_requests,
            prices=load_prices(self.prices) if self.prices else {},
        )


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of :class:`Whom` in place of its parameter ``whom``.

    typer reads options off a function's signature, so the signature is made: that of the command, with the fields.
    """
    hints, of_whom = (get_type_hints(each, include_extras=True) for each in (command, Whom))
    options = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=of_whom[f.name])
        for f in fields(Whom)
    ]
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        own = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name])
        parameters += options if name == "whom" else [own]

    def called(**given: Any) -> None:
        command(whom=Whom(**{f.name: given.pop(f.name) for f in fields(Whom)}), **given)

    called.__name__, called.__doc__ = command.__name__, command.__doc__
    called.__annotations__ = {p.name: p.annotation for p in parameters}
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return called


def different(**paths: Path | None) -> None:
    """Refuse two options that name one file."""
    seen: dict[Path, str] = {}
    for name, path in paths.items():
        if path is None:
            continue
        if (other := seen.setdefault(path.resolve(), name)) != name:
            raise GenerateError(f"{other} and {name} must be different files; both are {path}")


def say_estimates(estimates: Mapping[Any, Estimate], as_json: bool) -> None:
    """Print what a dry run found, one estimate a kind of question."""
    from pluristats.cli.output import print_json

    if as_json:
        print_json({name: vars(estimate) for name, estimate in estimates.items()})
        return
    for name, estimate in estimates.items():
        print(f"dry run, nothing is sent: {name}: {estimate}")


def spend(*runs: Run) -> dict[str, Any]:
    """What runs sent and cost in all."""
    names = ("sent", "prompt_tokens", "completion_tokens", "cost")
    return {name: sum(getattr(run.counts, name) for run in runs) for name in names}


def say_spend(spent: dict[str, Any], priced: bool, answers: Path) -> str:
    """The same as one line."""
    from pluristats.cli.output import printable

    cost = f"cost {spent['cost']:,.4g}" if priced else "cost not known (no --prices)"
    tokens = f"{spent['prompt_tokens']:,} + {spent['completion_tokens']:,} tokens"
    kept = f"answers are kept in {printable(str(answers))}"
    return f"this run sent {spent['sent']:,} requests, {tokens}, {cost}; {kept}"


@contextmanager
def _given(base_url: str, model: str, key_variable: str, no_key: bool) -> Iterator[Endpoint]:
    from pluristats.llm import Endpoint

    if not base_url or not model:
        raise GenerateError("say whom to ask with --base-url and --model, or try it with --simulated")
    yield Endpoint(base_url, model, key_variable=key_variable, no_key=no_key)


@contextmanager
def _simulated(seed: int, model: str, silent: bool) -> Iterator[Endpoint]:
    """The embedded endpoint, under one name whatever its port; where nothing is sent, the name alone."""
    from pluristats.llm import Endpoint
    from pluristats.llm.simulated import simulated_endpoint

    with nullcontext("http://127.0.0.1:9/v1") if silent else simulated_endpoint(seed) as url:
        yield Endpoint(url, model or "simulated", no_key=True, name=f"simulated, seed {seed}")


@contextmanager
def _opened(path: Path, may_make: bool) -> Iterator[ResponseStore]:
    """The store; where there is none and none may be made, an empty one that is gone afterwards."""
    from pluristats.llm import ResponseStore

    if may_make or path.exists():
        with ResponseStore(path) as store:
            yield store
    else:
        with TemporaryDirectory() as folder, ResponseStore(Path(folder) / "empty.sqlite") as store:
            yield store
