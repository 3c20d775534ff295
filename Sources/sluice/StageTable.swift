// The one table of built-in stages.

import Candidates
import Featurize
import Ingest
import Publish
import Rank
import Recluster
import Refit
import Screen
import StageKit

/// Built-in stages in data-flow order, by the name a pipeline file uses.
let builtInStages: [any Stage.Type] = [
  IngestStage.self, ScreenStage.self, FeaturizeStage.self, RefitStage.self, ReclusterStage.self,
  CandidatesStage.self, RankStage.self, PublishStage.self,
]
