# ruff: noqa: E501  (the rows of a table are one line each)
"""The words of a model card; `training.card` fills in what starts with a dollar sign."""

TEMPLATE = """\
---
license: cc-by-nc-sa-4.0
language: [en, de, pl]
base_model: HuggingFaceTB/SmolLM2-135M-Instruct
tags: [emotion-recognition-in-conversation, multimodal, bemerc]
---

# Model card of the bundle `$name`

Recognises which of seven emotions ($labels) a person **expresses** in one utterance of a
conversation, from words, voice and face, any of which may be missing. It follows BeMERC
([arXiv 2503.23990](https://arxiv.org/abs/2503.23990)) at a size that runs live on two CPU cores, and
does not claim that paper's results. `python -m training.card` wrote this file.

## Licence

**CC BY-NC-SA 4.0: non-commercial use only**, the strictest licence of the data below. Besides,
openSMILE, without which the voice cannot be read, is under audEERING's research licence, which
excludes commercial use. The code around it is Apache-2.0.

## Intended use

Research and private, non-commercial projects in which everybody who is analysed knows it and has
agreed: studying conversations, prototypes of interfaces that react to what is expressed, teaching,
comparing methods. A person looks at the output, and nothing of weight is decided by it.

## Forbidden use

- At work or in education: the EU AI Act prohibits inferring emotions there, but for medical or safety
  reasons (Art. 5(1)(f)).
- Surveillance, or analysing people who do not know of it or have not agreed.
- Judging people: hiring, credit, insurance, policing, migration, court, diagnosis. It is not a lie
  detector, and it does not know what anybody feels.
- Commercial use of any kind.

## Data

| corpus | part used in training | what for | licence |
|---|---|---|---|
| MELD | `train`, 9,989 utterances of one English-language sitcom | words | GPL-3.0 |
| MELD's prosody | of `train`, measured and published with SpeechCueLLM | prosody encoder | none stated; not part of the bundle |
| GoEmotions | 19,223 comments of Reddit, at most 4,000 of a label | pre-tuning on words | Apache-2.0 |
| FER2013 | `Training`, faces from the web, 48x48 grey | face encoder, composition | research use; the rights of the photos are with their owners |
| FERPlus | votes of ten annotators for these faces | targets of the face encoder | MIT |
| RAVDESS | actors 1-16, English, acted | speech encoder, composition | CC BY-NC-SA 4.0 |
| EmoDB | speakers 03, 08-12, German, acted, without boredom | speech encoder, composition | free to use, cite the authors; CC0 as re-published |
| nEMO | IC0, KD0, MK0, MP0, SM0, Polish, acted | speech encoder, composition | CC BY-NC-SA 4.0 |

EmoryNLP (Apache-2.0) is only evaluated on. The base weights, which are not in the bundle:
SmolLM2-135M-Instruct (Apache-2.0). Live, it works with BlazeFace (Apache-2.0), Silero VAD (MIT) and
Whisper tiny.en (MIT). `docs/data.md` says where each corpus is had, its splits, and what its labels
became.

## How it was trained

1. **Face encoder**: a DenseNet on FER2013's faces with FERPlus's vote distributions.
   Settings: $face_settings.
2. **Speech encoder**: a small network on openSMILE functionals ($feature_set) of windows of
   $window_seconds s. Settings: $speech_settings.
3. **Prosody**: a small network on level, pitch, pace and harmonicity of MELD's utterances, relative to
   the speaker's earlier ones.
4. **Pre-tuning** of LoRA on GoEmotions, one for all seeds. Settings: $pretune_settings.
5. **Distillation**: Qwen2.5-Coder-1.5B-Instruct (Apache-2.0), tuned on MELD, says how likely each emotion
   is in every training turn, out of fold; one for all seeds. Settings: $distillation_settings.
6. **Stage 2**: LoRA (rank $lora_rank, from layer $lora_first_layer) on the base LLM and the adapters,
   a dialogue a sequence, a loss at the cue of each turn; first with words alone, learning from the labels
   and from what the larger LLM says, then **composed**:
   each MELD turn is given a voice and a face of its own label from the other corpora, a share of them
   of whatever turn of the dialogue instead ($composition_settings), and modalities
   are dropped at random. Settings: $stage2_settings. Shares dropped: $dropout_settings.
7. **Evidence**: how much the encoders' own judgement counts beside the words is refitted on dev turns
   composed with the first half of the dev voices and faces (`training.refit`), where that helps;
   how much prosody counts, on MELD dev (`training.prosody_evidence`).
8. **Calibration**: for each set of modalities a temperature, and a bias of each emotion where it helps,
   fitted on dev; composed sets on the first half. Temperatures: $temperatures.

`python -m training.run compact` does all of it. The encoders' settings are from the record of their
training (`training.json`); where they differ from today's defaults the encoder is of an earlier version,
and a new training gives another one. Stage 1 of the paper, behaviour alignment,
$stage1. No conversation with its own video and sound was seen in training.

## Dev figures

In percent. **Dev data chose the epochs and the temperatures**, so expect less on data never used,
above all of the calibration error (ECE); the figures under *Calibration* are cross-fitted instead.
**Composed** figures are not MELD results: the voice and the face of a line were drawn by its true label,
but for a share that is of another line's (`--mismatched`); how often that is so in real conversations
is not known here, and words, voice and face depend on each other there. They are of the second half of
the dev **voices and faces** (`--half 2`), which neither the weights of the evidence nor the calibration
were fitted on; the words are those that both were fitted on. `data` is a folder in the layout of
`docs/data.md`.

$summary

### Seeds

$seeds

### Calibration

$calibration

### Abstaining

Below a threshold of confidence the answer is *unsure* (`emotion.abstained` in the event). The threshold
of a set of modalities is the confidence at 80 % coverage of its dev set, and at most that of words.
Change it with `run_live.py --abstain-below P`; 0 switches it off. Accuracy where only the surest are
answered, each line below the command of its data set with `--risk-coverage` added:

$abstaining

### Words of a recogniser

$noise

### Women and men

$genders

### Time

$latency

$sections

## Limits

- Acted speech: actors in studios speak clearer emotions than people do. Two sentences (RAVDESS), ten
  (EmoDB) and ninety (nEMO) are all that was said.
- Posed and web photos: found by searching for emotion words; unevenly spread over age, sex, origin and
  light. The model sees single pictures in training; motion is not learned.
- English words from one sitcom, mostly between six people. Other English, and other languages, will be
  recognised worse. Live, the words are those of a speech recogniser.
- Disgust and fear are rare in the dialogues: see the tables for each label.
- A face smaller than about a sixth of the frame's shorter side is missed. Body and posture are not
  looked at. One face and one voice per input.
- How it does on women and men is told above for the voices alone, a few speakers each. Age and origin
  were not measured: the corpora hardly say.

## Sizes

$sizes

$parameters
"""
