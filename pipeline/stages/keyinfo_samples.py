"""KeyInfo samples: reports and their KeyInfo become data to fine-tune a local model on."""

from __future__ import annotations

from pipeline.clinical.keyinfo import reply_of
from pipeline.clinical.reviewed import standardiser_for
from pipeline.core.errors import ConfigError
from pipeline.core.records import Record, identity
from pipeline.core.resources import resource_path
from pipeline.llm.types import Ask
from pipeline.prompting.template import load_template
from pipeline.stages.base import LibsParams, RecordStage, Reject, Result

_REPORT = "THE-REPORT"


class KeyInfoSampleParams(LibsParams):
    """Parameters of the stage.

    Attributes:
        prompt: the template that the fine-tuned model will be asked with. Its last message must end
            with the report, on lines of its own; what stands before is the instruction.
    """

    prompt: str = "keyinfo-short"

    def files(self) -> tuple[str, ...]:
        """The libraries and the template: it is written into every sample."""
        own = self.prompt.endswith(".md")
        path = self.prompt if own else str(resource_path("prompts", f"{self.prompt}.md"))
        return (*super().files(), path)


class KeyInfoSamples(RecordStage[KeyInfoSampleParams]):
    """Makes one training sample per record of ``keyinfo`` or ``followup``.

    ``instruction`` and ``input``, the report, are what the local model will be asked with, to the
    letter; ``output`` is the KeyInfo in standard form, written as the model is to reply.
    """

    name = "keyinfo-samples"
    params_type = KeyInfoSampleParams
    libs = (".",)

    def __init__(self, params: KeyInfoSampleParams) -> None:
        super().__init__(params)
        template = load_template(params.prompt)
        *before, last = template.render(report=_REPORT)
        self._system = "\n\n".join(str(message.content) for message in before)
        self._instruction = str(last.content).removesuffix(f"\n{_REPORT}")
        if _REPORT in self._instruction or any(message.role != "system" for message in before):
            raise ConfigError(
                f"prompt {params.prompt}: for samples, it must be system messages and one user "
                "message that ends with the report"
            )
        self._standardiser = standardiser_for(params.libs)

    async def process(self, record: Record, ask: Ask) -> Result:
        """Make the sample of one record."""
        standard = self._standardiser.standardise(record["keyinfo"])
        reading = record.get("reading")
        if standard.is_unusable or not reading:
            return Reject("no_sample", "no KeyInfo or no report")
        return [
            {
                **identity(record),
                "family": "keyinfo",
                "system": self._system,
                "instruction": self._instruction,
                "input": reading,
                "output": reply_of(standard.record),
            }
        ]
